"""Standing of accounts: suspended, reinstated, verified."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

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
from systemadmin.models import User
from systemadmin.services import rights, sessions
from systemadmin.services.duties import concerned_user, decides
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.security_notices import notify_addresses


@decides("systemadmin.suspend_user", permission="systemadmin.suspend_user", concerns=concerned_user)
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
    locked = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, locked)
    if locked.is_superuser and (actor is None or not actor.holds_all_rights):
        raise CannotSuspendSuperuser
    _check_manages_staff(actor, locked)
    if locked.is_suspended:
        raise AlreadySuspended
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
    return locked


@decides(
    "systemadmin.reinstate_user", permission="systemadmin.suspend_user", concerns=concerned_user
)
@transaction.atomic
def reinstate_user(*, actor: User | None, user: User, reason: str = "") -> User:
    """Lift a suspension; raises `NotSuspended`, `OwnInterest` and `CannotSuspendStaff`."""
    locked = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, locked)
    _check_manages_staff(actor, locked)
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
    return locked


def _check_manages_staff(actor: User | None, user: User) -> None:
    is_staff = user.is_staff or user.is_superuser
    if actor is not None and is_staff and not actor.has_perm("systemadmin.manage_staff"):
        raise CannotSuspendStaff


def _save_standing(user: User) -> None:
    user.save(update_fields=["suspended_at", "suspension_reason", "suspended_until"])


@decides("systemadmin.verify_user", permission="systemadmin.verify_user", concerns=concerned_user)
@transaction.atomic
def verify_user(*, actor: User | None, user: User, reason: str = "") -> User:
    """Mark the person behind the account as verified; raises `AlreadyVerified`."""
    locked = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, locked)
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
    stored = User() if is_new else lock_row(User.objects.all(), pk=user.pk)
    if is_new:
        # What a demo account makes is demo data and goes with the rest of it.
        user.is_demo = actor.is_demo
    else:
        rights.check_reach(actor, stored)
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    wanted = {name: getattr(user, name) for name in _EDITED}
    changed = [name for name in _EDITED if getattr(stored, name) != wanted[name]]
    flags: dict[str, bool] = {name: wanted[name] for name in rights.FLAGS if name in changed}
    if flags:
        rights.check_hands_out_rights(actor)
    _store(user, stored, is_new, [name for name in changed if name not in flags])
    _audit_account(actor, user, stored, changed if is_new else set(changed) - set(flags), wanted)
    try:
        with transaction.atomic():
            rights.set_rights(
                actor=actor, user=user, flags=flags, roles=roles, permissions=permissions
            )
    except SecondPersonNeeded as waiting:
        # The rest of the account is saved; whoever called keeps a request for the rights.
        for name in rights.FLAGS:
            setattr(user, name, getattr(stored, name))
        user.rights_wait = waiting
    return user


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
    entry = audit.record(
        "systemadmin.user.created" if is_new else "systemadmin.user.changed",
        actor=actor,
        target=user,
        before={} if is_new else {name: getattr(stored, name) for name in names},
        after={name: wanted[name] for name in names},
    )
    if "email" in names and not is_new:
        notify_addresses(user=user, old=stored.email, entry=entry)
