"""Keeping networks out: by hand, and by themselves when they flood us."""

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit
from systemadmin.foundation import parsing
from systemadmin.foundation.addresses import IPV6_PREFIX, parse_ip
from systemadmin.foundation.blocklist import BLOCKED_KEY, Network
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import forget_stored_values, setting
from systemadmin.foundation.errors import InvalidInput, RuleViolation
from systemadmin.models import (
    ApiToken,
    BlockedNetwork,
    ServiceKey,
    SystemConfig,
    User,
    UserSession,
)
from systemadmin.services.second_person import Attempt, Subject, needs_second_person

MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
# Nobody means to block half of the internet; a slip of the finger would.
WIDEST = {4: 8, 6: 19}
# What is wider shuts out many members, which one person does not decide.
ALONE = {4: 16, 6: 32}


class AlreadyBlocked(RuleViolation):
    """The network is blocked already."""

    code = "already_blocked"
    default_detail = _("This network is already blocked.")


class WouldLockYouOut(RuleViolation):
    """The caller's own address lies in the network."""

    code = "would_lock_you_out"
    default_detail = _("Your own address lies in this network.")


class NetworkIsExempt(RuleViolation):
    """The network overlaps one that is never blocked."""

    code = "network_is_exempt"
    default_detail = _("This network overlaps one that is exempt from blocking.")


def parse_network(text: str) -> Network:
    """Return the network to block; raises `InvalidInput`.

    IPv6 narrower than a /64 becomes its /64: one client holds all of it, and would come back with
    the next address.
    """
    try:
        network = parsing.parse_network(parse_ip(text) or text.strip())
    except parsing.Unreadable as error:
        raise InvalidInput("network", str(error)) from error
    if network.version == 6 and network.subnet_of(MAPPED):
        inner = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        network = ipaddress.ip_network(f"{inner}/{network.prefixlen - MAPPED.prefixlen}")
    elif network.version == 6 and network.prefixlen > IPV6_PREFIX:
        network = network.supernet(new_prefix=IPV6_PREFIX)
    if network.prefixlen < WIDEST[network.version]:
        raise InvalidInput("network", _("This block is too wide."))
    return network


def exempt_networks() -> list[Network]:
    """Return the networks that are never blocked."""
    return [parsing.parse_network(text) for text in setting("blocking.exempt")]


def _shuts_out(attempt: Attempt) -> bool:
    """Return whether a block is wide, or colleagues or keys of others come from its addresses."""
    network = ipaddress.ip_network(attempt.result.network)
    if network.prefixlen < ALONE[network.version]:
        return True
    return any(ipaddress.ip_address(ip) in network for ip in _addresses_of_others(attempt.actor))


def _addresses_of_others(actor: User) -> Iterator[str]:
    """Yield the addresses of open sessions and tokens of colleagues, and of keys in use."""
    now, others = timezone.now(), User.objects.staff().exclude(pk=actor.pk)
    live = Session.objects.filter(expire_date__gt=now).values("session_key")
    web = UserSession.objects.filter(user__in=others, session_key__in=live)
    tokens = ApiToken.objects.filter(user__in=others).exclude(expiry__lte=now)
    keys = ServiceKey.objects.filter(revoked_at__isnull=True).exclude(owner=actor)
    for rows, name in ((web, "ip"), (tokens, "ip"), (keys, "last_used_ip")):
        found = rows.filter(**{f"{name}__isnull": False}).order_by()
        yield from found.values_list(name, flat=True).distinct()


def _shown(*, network: str, reason: str, **rest: Any) -> list[tuple[Any, Any]]:
    return [
        (gettext_lazy("network"), network),
        (gettext_lazy("reason"), reason),
        (gettext_lazy("expires at"), rest.get("expires_at")),
    ]


@needs_second_person(
    "systemadmin.block_network",
    kind="lockout",
    title=gettext_lazy("Block a network that others come from"),
    permission="systemadmin.add_blockednetwork",
    rule=gettext_lazy(
        "when colleagues are signed in from it, when keys of others are used from it,"
        " and when it is wider than a /16 (IPv6: /32)"
    ),
    needs=_shuts_out,
    subject=lambda attempt: Subject(
        type="network", id=attempt.result.network, name=attempt.result.network
    ),
    shown=_shown,
)
@transaction.atomic
def block_network(
    *,
    actor: User | None,
    network: str,
    reason: str,
    expires_at: datetime | None = None,
    own_ip: str = "",
    is_automatic: bool = False,
) -> BlockedNetwork:
    """Keep a network out; raises `AlreadyBlocked`, `WouldLockYouOut` and `NetworkIsExempt`."""
    parsed = _blockable(network, own_ip, expires_at)
    lift_expired()
    try:
        with transaction.atomic():
            row = BlockedNetwork.objects.create(
                network=str(parsed),
                reason=reason[:300],
                expires_at=expires_at,
                is_automatic=is_automatic,
                created_by=actor,
            )
    except IntegrityError as error:
        raise AlreadyBlocked from error
    _publish()
    audit.record(
        "systemadmin.network.blocked",
        actor=actor,
        target=row,
        after={"network": row.network, "expires_at": expires_at, "automatic": is_automatic},
        reason=reason,
    )
    return row


def _blockable(network: str, own_ip: str, expires_at: datetime | None) -> Network:
    parsed = parse_network(network)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput("expires_at", _("The end must lie in the future."))
    if own_ip and ipaddress.ip_address(own_ip) in parsed:
        raise WouldLockYouOut
    if any(_overlap(parsed, exempt) for exempt in exempt_networks()):
        raise NetworkIsExempt
    return parsed


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


@transaction.atomic
def lift_block(*, actor: User | None, block: BlockedNetwork) -> BlockedNetwork:
    """Let a network in again; raises `RuleViolation` when it was lifted before."""
    row = lock_row(BlockedNetwork.objects.all(), pk=block.pk)
    if row.lifted_at is not None:
        raise RuleViolation(_("This block was lifted before."), code="already_lifted")
    row.lifted_at = timezone.now()
    row.save(update_fields=["lifted_at", "updated_at"])
    _publish()
    audit.record("systemadmin.network.lifted", actor=actor, target=row)
    return row


def lift_expired() -> int:
    """Mark expired blocks as lifted; return how many (they are not enforced anyway)."""
    now = timezone.now()
    lifted = BlockedNetwork.objects.filter(lifted_at__isnull=True, expires_at__lte=now).update(
        lifted_at=now
    )
    if lifted:
        _publish()
    return lifted


def block_flood(ip: str, count: int) -> None:
    """Block an address that sent far more than any client does, for the configured time."""
    minutes = setting("blocking.flood_minutes")
    try:
        block_network(
            actor=None,
            network=ip,
            reason=f"{count} requests in a minute",
            expires_at=timezone.now() + timedelta(minutes=minutes),
            is_automatic=True,
        )
    except (RuleViolation, InvalidInput):
        return


def _publish() -> None:
    rows = BlockedNetwork.objects.filter(lifted_at__isnull=True).filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    )
    state = [[row.network, row.expires_at.isoformat() if row.expires_at else None] for row in rows]
    SystemConfig.objects.update_or_create(key=BLOCKED_KEY, defaults={"value": state})
    forget_stored_values()
    transaction.on_commit(forget_stored_values)
