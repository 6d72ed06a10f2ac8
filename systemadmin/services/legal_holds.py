"""Legal holds: an account under one is neither erased nor pruned."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit
from systemadmin.errors import AccountIsErased, LegalHoldOver
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import AccountErasure, LegalHold, User
from systemadmin.services import rights
from systemadmin.services.duties import concerned_user, decides
from systemadmin.services.second_person import Attempt, needs_second_person

LIFT_HOLDS: Final = "systemadmin.lift_holds"
# A hold is an exception: whoever needs more renews it and states the reason again.
LONGEST: Final = timedelta(days=5 * 366)


def _concerned(*, hold: LegalHold, **_rest: Any) -> list[int]:
    return [hold.account_id]


@decides(
    "systemadmin.hold_account", permission="systemadmin.add_legalhold", concerns=concerned_user
)
@transaction.atomic
def hold_account(*, actor: User | None, user: User, reason: str, ends_at: datetime) -> LegalHold:
    """Keep an account's data from erasure and retention until a moment.

    Raises `OwnInterest`, `DemoActsOnReal`, `AccountIsErased` and `InvalidInput` (no reason; an end
    in the past or more than five years away).
    """
    reason = visible_text(reason)
    if not reason:
        raise InvalidInput("reason", _("Say why the data has to stay."), code="required")
    _check_end(ends_at)
    # The row that erasure locks too: a hold is either there before it begins, or comes too late.
    account = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, account)
    running = AccountErasure.objects.filter(account=account, status="running")
    if account.erased_at is not None or running.exists():
        raise AccountIsErased
    hold = LegalHold.objects.create(
        account=account, reason=reason[:500], ends_at=ends_at, created_by=actor
    )
    audit.record(
        "systemadmin.legal_hold.created",
        actor=actor,
        target=account,
        after={"hold": hold.pk, "ends_at": ends_at},
        reason=hold.reason,
    )
    return hold


def _is_others_decision(attempt: Attempt) -> bool:
    """Return whether somebody ends the hold of others who has no say in such holds."""
    hold: LegalHold = attempt.arguments["hold"]
    is_own = hold.created_by_id == attempt.actor.pk
    return not (is_own or attempt.actor.has_perm(LIFT_HOLDS))


def _shown(*, hold: LegalHold, **_rest: Any) -> list[tuple[Any, Any]]:
    return [
        (gettext_lazy("account"), hold.account.get_username()),
        (gettext_lazy("held because"), hold.reason),
        (gettext_lazy("held by"), str(hold.created_by or "")),
        (gettext_lazy("held until"), f"{hold.ends_at:%Y-%m-%d %H:%M} UTC"),
    ]


@decides("systemadmin.release_hold", permission="systemadmin.change_legalhold", concerns=_concerned)
@needs_second_person(
    "systemadmin.release_hold",
    kind="hold",
    title=gettext_lazy("Release a legal hold of others"),
    permission="systemadmin.change_legalhold",
    rule=gettext_lazy("when somebody else set it, unless whoever releases it may decide that"),
    needs=_is_others_decision,
    subject=lambda attempt: attempt.arguments["hold"],
    shown=_shown,
)
@transaction.atomic
def release_hold(*, actor: User | None, hold: LegalHold, reason: str) -> LegalHold:
    """End a legal hold before its day; raises `LegalHoldOver`, `OwnInterest`, `InvalidInput`."""
    reason = visible_text(reason)
    if not reason:
        raise InvalidInput("reason", _("Say why the hold ends."), code="required")
    account = lock_row(User.objects.all(), pk=hold.account_id)
    rights.check_demo(actor, account)
    locked = lock_row(LegalHold.objects.all(), pk=hold.pk)
    if locked.released_at is not None or locked.ends_at <= timezone.now():
        raise LegalHoldOver
    locked.released_at = timezone.now()
    locked.save(update_fields=["released_at", "updated_at"])
    audit.record(
        "systemadmin.legal_hold.released",
        actor=actor,
        target=account,
        before={"hold": locked.pk, "ends_at": locked.ends_at},
        after={"released_at": locked.released_at},
        reason=reason[:500],
    )
    return locked


def _check_end(ends_at: datetime) -> None:
    now = timezone.now()
    if ends_at <= now:
        raise InvalidInput("ends_at", _("The end must lie in the future."))
    if ends_at > now + LONGEST:
        raise InvalidInput("ends_at", _("A hold lasts five years at most; it can be renewed."))
