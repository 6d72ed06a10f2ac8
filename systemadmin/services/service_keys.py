"""Service keys: made, rotated, handed over, revoked; each write is audited with its maker."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit
from systemadmin.errors import (
    KeyIsRevoked,
    KeyOfAColleague,
    KeyOfAKey,
    NotOnServiceKeys,
    SuccessorIsNotStaff,
)
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import FieldError, InvalidInput, noting
from systemadmin.foundation.parsing import Unreadable, parse_network, parse_rate
from systemadmin.foundation.plugins import service_permissions
from systemadmin.foundation.readable_text import visible_text
from systemadmin.foundation.scopes import parse_scopes
from systemadmin.models import ApiToken, ServiceKey, ServiceKeySecret, User
from systemadmin.service_key_format import digest_of, new_secret
from systemadmin.services import approvals, rights
from systemadmin.services.second_person import acts
from systemadmin.services.undoing import notify_undone

# What is a person's to do: rights of others, keys, and the second pair of eyes.
NEVER: Final = frozenset(
    {
        "systemadmin.add_servicekey",
        "systemadmin.change_servicekey",
        "systemadmin.decide_approvalrequest",
        "systemadmin.add_user",
        "systemadmin.change_user",
        "systemadmin.manage_staff",
        "systemadmin.set_password",
        "systemadmin.reset_two_factor",
    }
)
# To act as a member, or to say who a member is: superusers alone put these on a key.
IN_A_MEMBERS_NAME: Final = frozenset(
    {
        "systemadmin.act_for_member",
        "systemadmin.issue_member_token",
        "systemadmin.manage_members",
    }
)
_KEY_REVOKED: Final = gettext_lazy("Your service key %(key)s was revoked.")
LONGEST_OVERLAP: Final = timedelta(days=7)
USUAL_OVERLAP: Final = timedelta(hours=24)
MOST_NETWORKS: Final = 50


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with the secret that is shown this once."""

    key: ServiceKey
    secret: str


@transaction.atomic
def create_service_key(
    *,
    actor: User | None,
    name: str,
    permissions: Iterable[str] = (),
    member_scopes: Iterable[str] = (),
    networks: Iterable[str] = (),
    rate: str = "",
    expires_at: datetime | None = None,
    owner: User | None = None,
) -> Issued:
    """Make a key that acts as a new account of its own; `owner` is who answers for it.

    Without an actor (the command line) the owner has to be named. Raises `KeyOfAKey`,
    `NotOnServiceKeys` (a permission that the owner lacks or that no key may have) and
    `InvalidInput`.
    """
    _check_person(actor)
    holder = owner or actor
    if holder is None or not holder.is_acting_staff or holder.is_service:
        raise InvalidInput("owner", _("The owner of a key is a person of staff."), code="required")
    key, faults, wanted = ServiceKey(owner=holder), list[FieldError](), list[Permission]()
    checks: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("name", lambda: _checked_name(name)),
        ("networks", lambda: _checked_networks(networks)),
        ("member_scopes", lambda: _checked_scopes(member_scopes)),
        ("rate", lambda: _checked_rate(rate)),
        ("expires_at", lambda: _checked_end(expires_at)),
    )
    for column, check in checks:
        with noting(faults):
            setattr(key, column, check())
    with noting(faults):
        wanted = _checked_permissions(holder, permissions)
    if faults:
        raise InvalidInput.of(faults)
    _check_may_give(actor, permissions)
    key.account = _make_account(key.name, is_demo=holder.is_demo)
    key.account.user_permissions.set(wanted)
    try:
        with transaction.atomic():
            key.save()
    except IntegrityError as error:
        raise InvalidInput("name", _("There is a service key of this name."), code="unique") from (
            error
        )
    secret = _add_secret(key)
    audit.record("systemadmin.service_key.created", actor=actor, target=key, after=_stated(key))
    return Issued(key, secret)


@transaction.atomic
def rotate_service_key(
    *, actor: User | None, key: ServiceKey, overlap: timedelta = USUAL_OVERLAP
) -> Issued:
    """Give a key a new secret; the present one stays valid for `overlap`, an older one ends now.

    Raises `KeyOfAKey`, `KeyIsRevoked`, `KeyOfAColleague` and `InvalidInput` (over a week).
    """
    _check_person(actor)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput("overlap_hours", _("From 0 to 168 hours."))
    locked = _locked(actor, key)
    _check_owner(actor, locked)
    _check_may_give(actor, locked.permissions)
    now = timezone.now()
    locked.secrets.filter(ends_at__gt=now).update(ends_at=now)
    locked.secrets.filter(ends_at__isnull=True).update(ends_at=now + overlap)
    secret = _add_secret(locked)
    audit.record(
        "systemadmin.service_key.rotated",
        actor=actor,
        target=locked,
        after={"overlap_seconds": int(overlap.total_seconds())},
    )
    return Issued(locked, secret)


@transaction.atomic
def revoke_service_key(*, actor: User | None, key: ServiceKey, reason: str) -> ServiceKey:
    """End a key at once and for good; an owner who is somebody else is told.

    Raises `KeyOfAKey`, `KeyIsRevoked` and `InvalidInput`.
    """
    _check_person(actor)
    reason = visible_text(reason)
    if not reason:
        raise InvalidInput("reason", _("Say why the key ends."), code="required")
    locked = _locked(actor, key)
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at", "updated_at"])
    User.objects.filter(pk=locked.account_id).update(is_active=False)
    entry = audit.record(
        "systemadmin.service_key.revoked", actor=actor, target=locked, reason=reason[:500]
    )
    notify_undone(by=locked.owner, what=_KEY_REVOKED, values={"key": locked.name}, entry=entry)
    return locked


@transaction.atomic
def hand_over_service_key(*, actor: User | None, key: ServiceKey, owner: User) -> ServiceKey:
    """Let somebody else of staff answer for a key; it may then do no more than they may.

    Whoever had its secret cannot use it any more: the new owner rotates the key. Raises
    `KeyOfAColleague`, `KeyOfAKey`, `KeyIsRevoked`, `SuccessorIsNotStaff` and `NotOnServiceKeys`
    where the new owner lacks one of its permissions.
    """
    _check_person(actor)
    if not owner.is_acting_staff or owner.is_service:
        raise SuccessorIsNotStaff
    locked = _locked(actor, key)
    _check_owner(actor, locked)
    _checked_permissions(owner, locked.permissions)
    _check_may_give(actor, locked.permissions)
    before = locked.owner
    _pass_on(locked, owner)
    audit.record(
        "systemadmin.service_key.handed_over",
        actor=actor,
        target=locked,
        before={"owner": before.get_username() if before else ""},
        after={"owner": owner.get_username()},
    )
    return locked


def release_keys(*, actor: User | None, user: User, successor: User | None) -> None:
    """Hand the keys of somebody who leaves to the successor, who may give them less; else revoke.

    What the successor may not do the keys may not do any more, and their secrets end.
    """
    for key in ServiceKey.objects.live().filter(owner=user).order_by("pk"):
        if successor is None:
            revoke_service_key(actor=actor, key=key, reason=_("Its owner left."))
            continue
        locked = _locked(None, key)
        _pass_on(locked, successor)
        audit.record(
            "systemadmin.service_key.handed_over",
            actor=actor,
            target=locked,
            before={"owner": user.get_username()},
            after={"owner": successor.get_username()},
        )


def _pass_on(key: ServiceKey, owner: User) -> None:
    """Change the owner, and end what the one before knows or asked for by the key.

    A request by the key is its owner's: the next owner would be taken for who asked, and the one
    before could approve it.
    """
    key.owner = owner
    key.save(update_fields=["owner", "updated_at"])
    now = timezone.now()
    key.secrets.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now)).update(ends_at=now)
    ApiToken.objects.filter(service_key=key).delete()
    approvals.withdraw_all_of(account=key.account, reason=_("The key has another owner."))


# -- checks ------------------------------------------------------------------------------


def _check_person(actor: User | None) -> None:
    if actor is not None and actor.is_service:
        raise KeyOfAKey


def _check_owner(actor: User | None, key: ServiceKey) -> None:
    if actor is not None and actor.pk != key.owner_id and not actor.holds_all_rights:
        raise KeyOfAColleague


def _locked(actor: User | None, key: ServiceKey) -> ServiceKey:
    locked = lock_row(ServiceKey.objects.all(), pk=key.pk)
    rights.check_demo(actor, locked.account)
    if locked.revoked_at is not None:
        raise KeyIsRevoked
    return locked


def _checked_permissions(owner: User, names: Iterable[str]) -> list[Permission]:
    wanted = sorted(set(names))
    found = {
        f"{one.content_type.app_label}.{one.codename}": one
        for one in Permission.objects.select_related("content_type").filter(
            codename__in=[name.partition(".")[2] for name in wanted]
        )
    }
    if unknown := [name for name in wanted if name not in found]:
        text = _("There is no such permission: %(names)s.") % {"names": ", ".join(unknown)}
        raise InvalidInput("permissions", text, code="does_not_exist")
    if refused := [name for name in wanted if name in NEVER or not owner.has_perm(name)]:
        raise NotOnServiceKeys(refused)
    return [found[name] for name in wanted]


def _check_may_give(actor: User | None, names: Iterable[str]) -> None:
    """Refuse what the actor lacks, and what a key does over money or in a member's name.

    Whoever holds a key's secret could pay orders, or buy and confirm for a member. Superusers give
    such rights, as they do to accounts.
    """
    if actor is None or actor.holds_all_rights:
        return
    reserved = given_by_superusers()
    refused = sorted(n for n in set(names) if n in reserved or not actor.has_perm(n))
    if refused:
        raise NotOnServiceKeys(refused)


def given_by_superusers() -> frozenset[str]:
    """Return the permissions that superusers alone put on a key."""
    limited = {act.permission for act in acts().values() if act.limit is not None}
    return IN_A_MEMBERS_NAME | (limited & service_permissions())


def _checked_name(name: str) -> str:
    name = visible_text(name)
    if not 1 <= len(name) <= 60 or not slugify(name):
        raise InvalidInput("name", _("A name of 1 to 60 characters, with letters or digits."))
    return name


def _checked_networks(networks: Iterable[str]) -> list[str]:
    found = []
    for one in networks:
        try:
            found.append(str(parse_network(one)))
        except Unreadable as error:
            raise InvalidInput("networks", str(error)) from error
    if len(found) > MOST_NETWORKS:
        raise InvalidInput("networks", _("At most %(count)s.") % {"count": MOST_NETWORKS})
    return list(dict.fromkeys(found))


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    try:
        return parse_scopes(list(scopes))
    except Unreadable as error:
        raise InvalidInput("member_scopes", str(error), code="unknown_scope") from error


def _checked_rate(rate: str) -> str:
    if rate:
        try:
            parse_rate(rate)
        except Unreadable as error:
            raise InvalidInput("rate", str(error)) from error
    return rate


def _checked_end(moment: datetime | None) -> datetime | None:
    if moment is not None and moment <= timezone.now():
        raise InvalidInput("expires_at", _("The end must lie in the future."))
    return moment


# -- rows --------------------------------------------------------------------------------


def _make_account(name: str, *, is_demo: bool) -> User:
    """Make the account that a key acts as: staff by its permissions, and nobody can sign in."""
    base = f"key.{slugify(name)}"[:120]
    username, number = base, 1
    while User.objects.named([username]).exists():
        number += 1
        username = f"{base}.{number}"
    account = User(username=username, is_staff=True, is_service=True, is_demo=is_demo)
    account.set_unusable_password()
    account.save(force_insert=True)
    return account


def _add_secret(key: ServiceKey) -> str:
    secret = new_secret()
    ServiceKeySecret.objects.create(key=key, digest=digest_of(secret), hint=secret[-4:])
    return secret


def _stated(key: ServiceKey) -> dict[str, Any]:
    return {
        "owner": key.owner.get_username() if key.owner else "",
        "permissions": key.permissions,
        "member_scopes": key.member_scopes,
        "networks": key.networks,
        "rate": key.rate,
        "expires_at": key.expires_at,
    }
