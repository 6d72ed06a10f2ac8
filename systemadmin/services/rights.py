"""The rights of an account: the one way in which they change, and what follows from it.

Whatever changes them (API, admin, command, `setup`, an edit of a role), every session and token of
the account ends, the owner is notified and the audit trail has the rights before and after.
Sessions and tokens end on a gain too: what was made for less must not open more.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from systemadmin import audit
from systemadmin.errors import AccountIsErased, DemoActsOnReal, NotServicePermission
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import NotAllowed
from systemadmin.foundation.plugins import service_permissions
from systemadmin.models import ApiToken, AuditEntry, User
from systemadmin.services import sessions
from systemadmin.services.duties import check_no_own_interest, decides
from systemadmin.services.known_passwords import given_by_others
from systemadmin.services.second_person import Attempt, needs_second_person
from systemadmin.services.security_notices import notify_owner

FLAGS: Final = ("is_active", "is_staff", "is_superuser")


def names_of(permissions: QuerySet[Permission]) -> list[str]:
    """Return permissions as sorted `app.codename` names."""
    held = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{code}" for app, code in held)


def rights_of(user: User) -> dict[str, Any]:
    """Return all that the rights of an account follow from."""
    return {
        **{name: getattr(user, name) for name in FLAGS},
        "roles": sorted(user.groups.values_list("name", flat=True)),
        "permissions": names_of(user.user_permissions.all()),
    }


def check_hands_out_rights(actor: User | None) -> None:
    """Refuse whoever may not hand out rights; `None` is the command line."""
    if actor is not None and not actor.holds_all_rights:
        raise NotAllowed


def check_demo(actor: User | None, user: User | None = None) -> None:
    """Refuse a demo account that acts on a real account or, without one, on what is shared."""
    if actor is not None and actor.is_demo and (user is None or not user.is_demo):
        raise DemoActsOnReal


def check_reach(actor: User | None, user: User) -> None:
    """Refuse acts on a superuser by somebody lesser, and on a real account by a demo account."""
    check_demo(actor, user)
    if not user.is_in_reach_of(actor):
        raise NotAllowed


def check_not_erased(user: User) -> None:
    """Raise `AccountIsErased`: nothing opens, closes or changes such an account any more."""
    if user.erased_at is not None:
        raise AccountIsErased


def _gives_rights(attempt: Attempt) -> bool:
    """Return whether a change gives something; what only takes away is done at once."""
    entry = attempt.result
    if entry is None:
        return False
    before, after = entry.before, entry.after
    gained = any(set(after[name]) - set(before[name]) for name in ("roles", "permissions"))
    raised = [name for name in FLAGS if after[name] and not before[name]]
    # Members are locked out and let in again by one person; a service account is no member.
    holds = any(after[name] for name in ("is_staff", "is_superuser", "roles", "permissions"))
    return gained or any(name != "is_active" or holds for name in raised)


def lock_superusers(user: User) -> None:
    """Let one act at a time take a superuser away, or two at once would leave nobody.

    Call it before any other row is locked. Without the key: rows that name a superuser as their
    author hold a share lock on it.
    """
    if user.is_superuser:
        rows = User.objects.select_for_update(no_key=True).filter(is_superuser=True)
        list(rows.order_by("pk").values_list("pk"))


def leaves_one_superuser(user: User, *, was_superuser: bool) -> bool:
    """Return whether one superuser is left now that an account no longer counts as one.

    Whoever takes all others away decides alone from then on, and nobody looks.
    """
    if not was_superuser or user.is_demo:
        return False
    acting = User.objects.staff().filter(is_superuser=True, is_demo=False)
    return not acting.filter(pk=user.pk).exists() and len(acting[:2]) < 2


def _needs_another(attempt: Attempt) -> bool:
    entry = attempt.result
    if entry is None:
        return False
    user = attempt.arguments["user"]
    was_superuser = all(entry.before[name] for name in FLAGS) and not user.is_suspended
    return _gives_rights(attempt) or leaves_one_superuser(user, was_superuser=was_superuser)


def holds_all_rights(person: Any) -> bool:
    """Return whether somebody is a superuser who counts, for acts that superusers approve."""
    return bool(person.holds_all_rights)


def _shown(*, user: User, **wanted: Any) -> list[tuple[Any, Any]]:
    rows: list[tuple[Any, Any]] = [(_("account"), user.get_username())]
    rows += _password_by_others(user)
    rows += [(_("has now"), f"{name}: {value}") for name, value in rights_of(user).items()]
    rows += [
        (_("would get"), f"{name}: {value}") for name, value in (wanted.get("flags") or {}).items()
    ]
    for name in ("roles", "permissions"):
        if wanted.get(name) is not None:
            rows.append((_("would have"), ", ".join(str(one) for one in wanted[name])))
    return rows


def _password_by_others(user: User) -> list[tuple[Any, Any]]:
    """Return who gave the account its password, where somebody else did: they could use it."""
    found = given_by_others([user.pk]).get(user.pk)
    if found is None:
        return []
    text = f"{found.actor_name}, {found.occurred_at:%Y-%m-%d %H:%M} UTC"
    return [(_("password set by"), text)]


def _state(*, user: User, **_rest: Any) -> list[Any]:
    """Return what a decision about rights is about; who knows the password is a part of it."""
    return [rights_of(user), user.password, user.email]


@decides("systemadmin.set_rights", permission="systemadmin.change_user", concerns=None)
@needs_second_person(
    "systemadmin.set_rights",
    kind="rights",
    title=_("Give an account rights"),
    permission="systemadmin.change_user",
    rule=_(
        "when an account gets a role, a permission or a flag that it lacks, and when one superuser "
        "would be left"
    ),
    needs=_needs_another,
    subject=lambda attempt: attempt.arguments["user"],
    state=_state,
    shown=_shown,
    approver=holds_all_rights,
)
@transaction.atomic
def set_rights(
    *,
    actor: User | None,
    user: User,
    flags: Mapping[str, bool] | None = None,
    roles: Iterable[Group] | None = None,
    permissions: Iterable[Permission] | None = None,
    reason: str = "",
) -> AuditEntry | None:
    """Give an account these flags, exactly these roles and exactly these direct permissions.

    What is None stays. Returns the audit row, or None when nothing changes. Raises `NotAllowed`,
    `DemoActsOnReal`, `OwnInterest` and `NotServicePermission`.
    """
    lock_superusers(user)
    locked = lock_row(User.objects.all(), pk=user.pk)
    check_not_erased(locked)
    before = rights_of(locked)
    _set_flags(user, locked, flags or {})
    if roles is not None:
        locked.groups.set(roles)
    if permissions is not None:
        locked.user_permissions.set(permissions)
    after = rights_of(locked)
    if before == after:
        return None
    check_hands_out_rights(actor)
    check_reach(actor, locked)
    check_no_own_interest(actor=actor, concerns=[locked.pk], act="systemadmin.set_rights")
    _check_direct_permissions(before, after)
    return _follow_change(actor, locked, before, after, reason)


def _set_flags(user: User, locked: User, flags: Mapping[str, bool]) -> None:
    for name, value in flags.items():
        setattr(locked, name, value)
        setattr(user, name, value)
    if flags:
        locked.save(update_fields=list(flags))


def _check_direct_permissions(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse to give an account directly what only a role may give."""
    given = set(after["permissions"]) - set(before["permissions"])
    if not after["is_staff"] and not given <= service_permissions():
        raise NotServicePermission


def _follow_change(
    actor: User | None, user: User, before: Any, after: Any, reason: str
) -> AuditEntry:
    sessions.end_all(actor=None, user=user, reason="rights changed")
    # What the account's keys opened for members: the keys make new ones while they may.
    ApiToken.objects.filter(service_key__owner=user).delete()
    entry = audit.record(
        "systemadmin.user.rights_changed",
        actor=actor,
        target=user,
        before=before,
        after=after,
        reason=reason,
    )
    notify_owner(user=user, kind="rights_changed", entry=entry)
    return entry


@transaction.atomic
def set_role_permissions(
    *, actor: User | None, role: Group, permissions: Iterable[Permission]
) -> None:
    """Let a role give exactly these permissions; its holders are notified and sign in again."""
    before = names_of(role.permissions.all())
    role.permissions.set(permissions)
    after = names_of(role.permissions.all())
    if before == after:
        return
    for holder in User.objects.filter(groups=role).order_by("pk").iterator(chunk_size=500):
        sessions.end_all(actor=None, user=holder, reason="rights of the role changed")
        entry = audit.record(
            "systemadmin.user.role_rights_changed",
            actor=actor,
            target=holder,
            before={"role": role.name, "permissions": before},
            after={"role": role.name, "permissions": after},
        )
        notify_owner(user=holder, kind="rights_changed", entry=entry)
