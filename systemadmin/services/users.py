"""Standing of accounts: suspended, reinstated, verified."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit
from systemadmin.errors import (
    AlreadySuspended,
    AlreadyVerified,
    CannotSuspendStaff,
    CannotSuspendSuperuser,
    NotSuspended,
)
from systemadmin.events import user_reinstated, user_suspended, user_verified
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import AuditEntry, User
from systemadmin.roles import role_title
from systemadmin.services import rights, sessions
from systemadmin.services.announcements import announce_account
from systemadmin.services.duties import concerned_user, decides, roles_with, user_or_other_party
from systemadmin.services.legal_holds import LIFT_HOLDS
from systemadmin.services.second_person import Attempt, SecondPersonNeeded, needs_second_person
from systemadmin.services.security_notices import notify_contact


@decides(
    "systemadmin.suspend_user",
    permission="systemadmin.suspend_user",
    concerns=user_or_other_party,
)
@needs_second_person(
    "systemadmin.suspend_user",
    kind="rights",
    title=gettext_lazy("Suspend a superuser"),
    permission="systemadmin.manage_staff",
    rule=gettext_lazy("when one superuser would be left"),
    needs=lambda attempt: rights.leaves_one_superuser(
        attempt.result, was_superuser=attempt.result.is_superuser
    ),
    subject=lambda attempt: attempt.arguments["user"],
    state=lambda *, user, **_rest: [rights.rights_of(user)],
    approver=rights.holds_all_rights,
)
@transaction.atomic
def suspend_user(
    *, actor: User | None, user: User, reason: str, until: datetime | None = None
) -> User:
    """Suspend an account, end its sessions and tokens, and say why; `until` None means without end.

    Raises `AlreadySuspended`, `OwnInterest`, `CannotSuspendStaff`, `CannotSuspendSuperuser` and
    `InvalidInput` (empty reason, end in the past).
    """
    reason = visible_text(reason)
    if not reason:
        raise InvalidInput("reason", _("Say why the account is suspended."), code="required")
    if until is not None and until <= timezone.now():
        raise InvalidInput("until", _("The end must lie in the future."))
    rights.lock_superusers(user)
    locked = lock_row(User.objects.all(), pk=user.pk)
    _check_may_suspend(actor, locked)
    locked.suspended_at = timezone.now()
    locked.suspension_reason = reason
    locked.suspended_until = until
    _save_standing(locked)
    sessions.end_all(actor=None, user=locked, reason="suspended")
    audit.record(
        "systemadmin.user.suspended",
        actor=actor,
        target=locked,
        after={"suspended_at": locked.suspended_at, "suspended_until": until},
        reason=reason,
    )
    user_suspended.send(sender=User, user_id=locked.pk, actor_id=actor.pk if actor else None)
    announce_account(locked, "suspended")
    return locked


def _check_may_suspend(actor: User | None, account: User) -> None:
    rights.check_demo(actor, account)
    rights.check_not_erased(account)
    if account.is_superuser and (actor is None or not actor.holds_all_rights):
        raise CannotSuspendSuperuser
    _check_manages_staff(actor, account.is_staff or account.is_superuser)
    if account.is_suspended:
        raise AlreadySuspended


def who_suspends(viewer: User, account: User) -> str:
    """Say who suspends or reinstates an account; nothing to a viewer who may."""
    needed = ["systemadmin.suspend_user"]
    if account.is_staff or account.is_superuser:
        needed.append("systemadmin.manage_staff")
    if account.is_superuser and not viewer.holds_all_rights:
        roles: list[str] = []
    elif all(viewer.has_perm(permission) for permission in needed):
        return ""
    else:
        roles = roles_with(needed[-1])
    who = ", ".join([*(role_title(role) for role in roles), _("a superuser")])
    if account.is_suspended:
        return _("You cannot lift this suspension. Who can: %(who)s.") % {"who": who}
    return _("You cannot suspend this account. Who can: %(who)s.") % {"who": who}


def _suspended_by(*, user: User, **_rest: Any) -> AuditEntry | None:
    """Return the row of the audit trail of the suspension in force, if it is still kept."""
    rows = AuditEntry.objects.filter(target_type="systemadmin.user", target_id=str(user.pk))
    return rows.filter(action="systemadmin.user.suspended").order_by("-id").first()


def _is_others_decision(attempt: Attempt) -> bool:
    """Return whether somebody lifts what others decided and has no say in their decisions."""
    found: AuditEntry | None = attempt.before
    is_own = found is not None and found.actor_id == attempt.actor.pk
    return not (is_own or attempt.actor.has_perm(LIFT_HOLDS))


def _shown(*, user: User, **_rest: Any) -> list[tuple[Any, Any]]:
    found = _suspended_by(user=user)
    return [
        (gettext_lazy("account"), user.get_username()),
        (gettext_lazy("suspended because"), user.suspension_reason),
        (gettext_lazy("suspended by"), (found and found.actor_name) or gettext_lazy("a rule")),
        (gettext_lazy("role"), found.actor_role if found else ""),
    ]


def _standing(*, user: User, **_rest: Any) -> list[Any]:
    """Return what a decision about reinstating is about."""
    return [user.suspended_at, user.suspended_until, user.suspension_reason]


@decides(
    "systemadmin.reinstate_user", permission="systemadmin.suspend_user", concerns=concerned_user
)
@needs_second_person(
    "systemadmin.reinstate_user",
    kind="hold",
    title=gettext_lazy("Reinstate an account that others suspended"),
    permission="systemadmin.suspend_user",
    rule=gettext_lazy("when somebody else suspended it, unless whoever reinstates may decide that"),
    needs=_is_others_decision,
    subject=lambda attempt: attempt.arguments["user"],
    before=_suspended_by,
    state=_standing,
    shown=_shown,
)
@transaction.atomic
def reinstate_user(*, actor: User | None, user: User, reason: str = "") -> User:
    """Lift a suspension; raises `NotSuspended`, `OwnInterest` and `CannotSuspendStaff`."""
    locked = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, locked)
    rights.check_not_erased(locked)
    # Letting a service account in again gives its rights back.
    _check_manages_staff(actor, locked.holds_rights)
    if not locked.is_suspended:
        raise NotSuspended
    before = {
        "suspended_at": locked.suspended_at,
        "suspension_reason": locked.suspension_reason,
        "suspended_until": locked.suspended_until,
    }
    locked.suspended_at = locked.suspended_until = None
    locked.suspension_reason = ""
    _save_standing(locked)
    audit.record(
        "systemadmin.user.reinstated", actor=actor, target=locked, before=before, reason=reason
    )
    user_reinstated.send(sender=User, user_id=locked.pk, actor_id=actor.pk if actor else None)
    announce_account(locked, "reinstated")
    return locked


def _check_manages_staff(actor: User | None, is_guarded: bool) -> None:
    if actor is not None and is_guarded and not actor.has_perm("systemadmin.manage_staff"):
        raise CannotSuspendStaff


def _save_standing(user: User) -> None:
    user.save(update_fields=["suspended_at", "suspension_reason", "suspended_until"])


@decides("systemadmin.verify_user", permission="systemadmin.verify_user", concerns=concerned_user)
@transaction.atomic
def verify_user(*, actor: User | None, user: User, reason: str = "") -> User:
    """Mark the person behind the account as verified; raises `AlreadyVerified`."""
    locked = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, locked)
    rights.check_not_erased(locked)
    if locked.verified_at is not None:
        raise AlreadyVerified
    locked.verified_at = timezone.now()
    locked.save(update_fields=["verified_at"])
    audit.record(
        "systemadmin.user.verified",
        actor=actor,
        target=locked,
        after={"verified_at": locked.verified_at},
        reason=reason,
    )
    user_verified.send(sender=User, user_id=locked.pk, actor_id=actor.pk if actor else None)
    announce_account(locked, "verified")
    return locked


# Audited by value; secrets and moments that other services set are not edited here.
_EDITED = (
    "username",
    "first_name",
    "last_name",
    "email",
    "external_id",
    "telegram_chat_id",
    "country",
    "language",
    "is_active",
    "is_staff",
    "is_superuser",
)


def _editable(actor: User, pk: int) -> User:
    """Return an account, locked, that the actor may edit."""
    stored = lock_row(User.objects.all(), pk=pk)
    rights.check_reach(actor, stored)
    rights.check_not_erased(stored)
    return stored


@transaction.atomic
def save_account(
    *,
    actor: User,
    user: User,
    roles: Iterable[Group] | None = None,
    permissions: Iterable[Permission] | None = None,
) -> User:
    """Store a new or edited account with what changed; rights are a superuser's to give.

    Rights that need a second person are not given: `rights_wait` of the account is then the
    `SecondPersonNeeded`. Raises `NotAllowed`, `DemoActsOnReal` and Django's `ValidationError`.
    """
    is_new = user.pk is None
    stored = User() if is_new else _editable(actor, user.pk)
    if is_new:
        # What a demo account makes is demo data and goes with the rest of it.
        user.is_demo = actor.is_demo
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    wanted = {name: getattr(user, name) for name in _EDITED}
    changed = [name for name in _EDITED if getattr(stored, name) != wanted[name]]
    flags = _changed_flags(actor, changed, wanted)
    _store(user, stored, is_new, [name for name in changed if name not in flags])
    _audit_account(actor, user, stored, changed if is_new else set(changed) - set(flags), wanted)
    try:
        with transaction.atomic():
            rights.set_rights(
                actor=actor, user=user, flags=flags, roles=roles, permissions=permissions
            )
    except SecondPersonNeeded as waiting:
        _keep_stored_rights(user, stored, waiting)
    return user


def _changed_flags(actor: User, changed: list[str], wanted: dict[str, Any]) -> dict[str, bool]:
    """Return the flags that change, which only somebody who hands out rights may do."""
    flags: dict[str, bool] = {name: wanted[name] for name in rights.FLAGS if name in changed}
    if flags:
        rights.check_hands_out_rights(actor)
    return flags


def _keep_stored_rights(user: User, stored: User, waiting: SecondPersonNeeded) -> None:
    """Put the flags back as stored: whoever called keeps a request for the rights."""
    for name in rights.FLAGS:
        setattr(user, name, getattr(stored, name))
    user.rights_wait = waiting


def _store(user: User, stored: User, is_new: bool, changed: list[str]) -> None:
    """Save everything but the rights, which change in a service of their own."""
    for name in rights.FLAGS:
        setattr(user, name, getattr(stored, name))
    user.full_clean()
    if is_new:
        user.save()
    elif changed:
        user.save(update_fields=changed)


def _audit_account(
    actor: User, user: User, stored: User, changed: Iterable[str], wanted: dict[str, Any]
) -> None:
    is_new = stored.pk is None
    names = [name for name in _EDITED if name in changed]
    if not names and not is_new:
        return
    before = {} if is_new else {name: getattr(stored, name) for name in names}
    entry = audit.record(
        "systemadmin.user.created" if is_new else "systemadmin.user.changed",
        actor=actor,
        target=user,
        before=before,
        after={name: wanted[name] for name in names},
    )
    if not is_new:
        notify_contact(user=user, before=before, entry=entry)
