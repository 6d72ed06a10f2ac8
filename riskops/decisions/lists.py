"""What staff do with the allow, deny and watch lists."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from riskops.concerned import own_behind
from riskops.decisions.keys import CARD_NAME, EMAIL_NAME, email_keys, normal_value
from riskops.errors import EndsInThePast
from riskops.models import (
    AccountEvent,
    Identifier,
    IdentifierKind,
    ListEntry,
    ListKind,
    ListName,
    Sighting,
)
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User, UserSession
from systemadmin.services.duties import accounts_of, decides
from systemadmin.services.second_person import Attempt, Subject, needs_second_person


def _spelling(kind: str, value: str) -> str:
    """Return a value as its kind is compared; empty for one that the service refuses anyway."""
    try:
        return normal_value(kind, str(value)) if kind in ListKind.values else ""
    except InvalidInput:
        return ""


def _named_account(*, actor: User, kind: str, value: str) -> list[int]:
    """Return the account that an entry names by its id or its e-mail address."""
    spelled = _spelling(kind, value)
    if not spelled:
        return []
    if kind == ListKind.ACCOUNT:
        return [int(spelled)] if len(spelled) < 19 else []
    if kind == ListKind.EMAIL:
        found = User.objects.filter(email__iexact=spelled).values_list("pk", flat=True)[:50]
        return [*found, *_own_with_email(actor, spelled)]
    return []


def _own_with_email(actor: User, spelled: str) -> list[int]:
    """Return the accounts of the actor with an address, however the account spells it."""
    own = User.objects.filter(pk__in=accounts_of(actor.pk)).values_list("pk", "email")
    return [pk for pk, email in own if _spelling(ListKind.EMAIL, email) == spelled]


# What an entry names -> the kind of identifier that accounts are seen with.
_SEEN_WITH: Mapping[str, str] = {
    ListKind.ADDRESS: IdentifierKind.IP,
    ListKind.DEVICE: IdentifierKind.DEVICE,
    ListKind.WALLET: IdentifierKind.WALLET,
}


def _own_paid_with(actor: User, card: str) -> list[int]:
    """Return the accounts of the actor whose events name a card."""
    events = AccountEvent.objects.filter(account__in=accounts_of(actor.pk))
    named = events.filter(data__has_key=CARD_NAME).order_by()
    pairs = named.values_list("account_id", f"data__{CARD_NAME}").distinct()
    # As decisions read it: with the blanks around it taken off.
    return [pk for pk, text in pairs if str(text).strip() == card]


def _own_in_network(actor: User, spelled: str) -> list[int]:
    """Return the accounts of the actor that were seen, or are signed in, inside a network."""
    network, own = ipaddress.ip_network(spelled), accounts_of(actor.pk)
    seen = Sighting.objects.filter(account__in=own, identifier__kind=IdentifierKind.IP)
    pairs = seen.order_by().values_list("account", "identifier__value").distinct()
    signed_in = UserSession.objects.filter(user__in=own, ip__isnull=False)
    sessions = signed_in.order_by().values_list("user", "ip").distinct()
    return [pk for pk, ip in chain(pairs.iterator(), sessions) if ip and _is_inside(ip, network)]


def _is_inside(ip: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(ip) in network
    except ValueError:
        return False


def _own_with_mail(actor: User, kind: str, spelled: str) -> list[int]:
    """Return the accounts of the actor with an address, or one in a domain or below it.

    Addresses that events of the accounts named count as those on file do.
    """
    own = accounts_of(actor.pk)
    on_file = User.objects.filter(pk__in=own).values_list("pk", "email")
    events = AccountEvent.objects.filter(account__in=own, data__has_key=EMAIL_NAME).order_by()
    named = events.values_list("account_id", f"data__{EMAIL_NAME}").distinct()
    return [pk for pk, text in [*on_file, *named] if (kind, spelled) in email_keys(text)]


def _own_stopped_by(actor: User, kind: str, value: str) -> list[int]:
    """Return the accounts of the actor that an entry of the deny or watch list holds for."""
    spelled = _spelling(kind, value)
    if kind == ListKind.ADDRESS and spelled:
        return _own_in_network(actor, spelled)
    if kind == ListKind.DOMAIN and spelled:
        return _own_with_mail(actor, kind, spelled)
    return _own_seen_with(actor, kind, value)


def _own_seen_with(actor: User, kind: str, value: str) -> list[int]:
    """Return the accounts of the actor that were seen with one address, device, card and the like.

    Whole networks and domains are left to the second person that they need on the allow list.
    """
    spelled = _spelling(kind, value)
    if kind == ListKind.CARD:
        return _own_paid_with(actor, spelled)
    if kind == ListKind.EMAIL and spelled:
        return _own_with_mail(actor, kind, spelled)
    if kind not in _SEEN_WITH:
        return []
    if kind == ListKind.ADDRESS:
        spelled, _slash, length = spelled.partition("/")
        if length not in ("32", "128"):
            return []
    identifier = Identifier.objects.filter(kind=_SEEN_WITH[kind], value=spelled).first()
    if identifier is None:
        return []
    return [*own_behind(actor=actor, identifier=identifier)]


def _concerned(*, actor: User, list: str, kind: str, value: str, **_rest: Any) -> Iterable[int]:
    """Return the account that is named, and who would pass by the allow list."""
    named = _named_account(actor=actor, kind=kind, value=value)
    return [*named, *_own_seen_with(actor, kind, value)] if list == ListName.ALLOW else named


def _account_of_entry(*, actor: User, entry: ListEntry, **_rest: Any) -> Iterable[int]:
    """Return the account that is named, and who would no longer be stopped or watched."""
    named = _named_account(actor=actor, kind=entry.kind, value=entry.value)
    if entry.list == ListName.ALLOW:
        return named
    return [*named, *_own_stopped_by(actor, entry.kind, entry.value)]


def _allows_many(attempt: Attempt) -> bool:
    entry = attempt.result
    if entry.list != ListName.ALLOW:
        return False
    one = entry.value.endswith(("/32", "/128"))
    return entry.kind == ListKind.DOMAIN or (entry.kind == ListKind.ADDRESS and not one)


def _shown(**arguments: Any) -> list[tuple[Any, Any]]:
    return [
        (gettext_lazy("list"), ListName(arguments["list"]).label),
        (gettext_lazy("kind"), ListKind(arguments["kind"]).label),
        (gettext_lazy("value"), arguments["value"]),
        (gettext_lazy("expires at"), arguments.get("expires_at")),
    ]


def _set_value(entry: ListEntry, value: str) -> None:
    """Write the value as its kind is compared, and the account where it names one."""
    if entry.kind not in ListKind.values:
        raise InvalidInput("kind", _("Names nothing that a list can hold."), code="invalid_choice")
    entry.value = normal_value(entry.kind, value)
    if entry.kind == ListKind.ACCOUNT:
        entry.account = User.objects.filter(pk=int(entry.value)).first()
        if entry.account is None:
            raise InvalidInput("value", _("There is no such account."), code="does_not_exist")


@decides("riskops.add_list_entry", permission="riskops.add_listentry", concerns=_concerned)
@needs_second_person(
    "riskops.add_list_entry",
    kind="switch_off",
    title=gettext_lazy("Put many on the allow list"),
    permission="riskops.add_listentry",
    rule=gettext_lazy("when the allow list gets a domain or a network"),
    needs=_allows_many,
    subject=lambda attempt: Subject(
        type="list_entry",
        id=sha256(str(attempt.arguments["value"]).encode()).hexdigest()[:32],
        name=str(ListName(attempt.arguments["list"]).label),
    ),
    shown=_shown,
)
@transaction.atomic
def add_list_entry(
    *,
    actor: User | None,
    list: str,
    kind: str,
    value: str,
    reason: str,
    expires_at: datetime | None = None,
) -> ListEntry:
    """Put something on a list; one that has run out makes room for the next."""
    now = timezone.now()
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why it is on the list."), code="required")
    if expires_at is not None and expires_at <= now:
        raise EndsInThePast
    entry = ListEntry(
        list=list, kind=kind, reason=reason.strip(), expires_at=expires_at, created_by=actor
    )
    _set_value(entry, value)
    same = ListEntry.objects.filter(kind=kind, value=entry.value, list=list)
    same.filter(expires_at__lte=now).delete()
    entry.full_clean(exclude=["created_by"])
    entry.save()
    audit.record(
        "riskops.list_entry.added",
        actor=actor,
        target=entry,
        after=_values(entry),
        reason=entry.reason,
    )
    return entry


@decides(
    "riskops.remove_list_entry", permission="riskops.delete_listentry", concerns=_account_of_entry
)
@transaction.atomic
def remove_list_entry(*, actor: User | None, entry: ListEntry) -> None:
    """Take something off its list."""
    stored = ListEntry.objects.filter(pk=entry.pk).first()
    if stored is None:
        raise NotFound
    audit.record("riskops.list_entry.removed", actor=actor, target=stored, before=_values(stored))
    stored.delete()


def _values(entry: ListEntry) -> Mapping[str, Any]:
    """Return what the audit trail keeps: of people only that an account was named."""
    named = entry.kind in (ListKind.ACCOUNT, ListKind.ADDRESS)
    return {
        "list": entry.list,
        "kind": entry.kind,
        "value": entry.value if named else "",
        "expires_at": entry.expires_at,
    }
