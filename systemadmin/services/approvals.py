"""Requests for a second person: asked, approved, refused, withdrawn, expired."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.errors import (
    CautionNotAnswered,
    NotWhoAsked,
    OwnInterest,
    RequestIsDecided,
    RequestWaitsAlready,
)
from systemadmin.foundation.admin.refusals import refusal_text
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import (
    Deferred,
    DomainError,
    InvalidInput,
    NotAllowed,
    NotFound,
    RuleViolation,
    StaleVersion,
    Unavailable,
)
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import ApprovalRequest, User
from systemadmin.services import approval_notices
from systemadmin.services.approval_arguments import decode_all, decode_found
from systemadmin.services.approval_state import state_of
from systemadmin.services.approvers import (
    check_may_decide,
    check_no_interest,
)
from systemadmin.services.second_person import (
    GuardedAct,
    RequestDraft,
    SecondPersonNeeded,
    act_named,
    acts,
    without_second_person,
)

State = ApprovalRequest.State
EXPIRY = Batch("systemadmin.expire_approvals")
RUN_TASK: Final = "systemadmin.tasks.run_approved"
COMMAND_LINE: Final = "command line"
LONGEST_REASON: Final = 1000


# -- asking --------------------------------------------------------------------------


@transaction.atomic
def ask(*, actor: User | None, wish: RequestDraft, reason: str = "") -> ApprovalRequest:
    """Keep a request for an act that waits; asked for twice it is kept once.

    Call it outside of the transaction that the act was rolled back with. Raises `InvalidInput`
    without a reason and `RequestWaitsAlready` where another one waits for the same object.
    """
    act, subject = acts()[wish.act], wish.subject
    reason = _reason(reason or wish.reason)
    arguments = decode_all(wish.arguments)
    row = ApprovalRequest(
        kind=act.kind,
        act=act.name,
        arguments=wish.arguments,
        subject_type=subject.type,
        subject_id=subject.id[:200],
        subject_name=subject.name[:200],
        subject_state=state_of(act, subject.type, subject.id, arguments),
        amount=wish.amount,
        currency=wish.currency,
        asked_by=actor,
        asked_by_name=actor.get_username() if actor else COMMAND_LINE,
        reason=reason,
        expires_at=timezone.now() + timedelta(hours=setting("duties.request_hours")),
    )
    _expire_of(row)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        return _same_or_refuse(row, act)
    audit.record(
        "systemadmin.approval.requested",
        actor=actor,
        target=row,
        after={"act": act.name, "object": subject.name, "amount": row.amount},
        reason=reason,
    )
    approval_notices.notify_approvers(row, act, arguments)
    return row


def keep(deferred: Deferred, reason: str = "") -> list[ApprovalRequest]:
    """Keep a request for each act that waits, all or none; return them in order."""
    with transaction.atomic():
        return [
            ask(actor=one.actor, wish=one.wish, reason=reason)
            for one in deferred.each()
            if isinstance(one, SecondPersonNeeded)
        ]


def _reason(text: str) -> str:
    reason = visible_text(text)
    if not reason:
        raise InvalidInput(
            "reason",
            _("This needs a second person. Say why it should be done."),
            code="required",
        )
    if len(reason) > LONGEST_REASON:
        raise InvalidInput("reason", _("A text of up to 1000 characters."), code="max_length")
    return reason


def _same_or_refuse(row: ApprovalRequest, act: GuardedAct) -> ApprovalRequest:
    """Return the waiting request if it asks for the very same, else refuse."""
    waiting = (
        ApprovalRequest.objects.waiting()
        .of_object(row.kind, row.subject_type, row.subject_id)
        .first()
    )
    is_same_call = waiting is not None and waiting.arguments == row.arguments
    if act.discard_files is not None and not is_same_call:
        # The waiting request has stored its own file; this one belongs to nothing.
        act.discard_files(**decode_all(row.arguments))
        is_same_call = True
    if waiting is None:
        raise RequestWaitsAlready
    if is_same_call and (waiting.act, waiting.asked_by_id) == (row.act, row.asked_by_id):
        return waiting
    raise RequestWaitsAlready(extra={"approval_request": waiting.pk})


# -- deciding ------------------------------------------------------------------------


@transaction.atomic
def approve(
    *,
    actor: User,
    request: ApprovalRequest,
    reason: str = "",
    expected_version: int | None = None,
) -> ApprovalRequest:
    """Let an act happen, now, as it was asked for.

    It fails, with the reason in the request, when the object or the sum has changed since or the
    act is not allowed any more; nothing of it is done then. Raises `CannotDecideRequest`,
    `OwnInterest` and `RequestIsDecided`.
    """
    row, act = _locked(request, expected_version), act_named(request.act)
    check_may_decide(actor=actor, request=row, act=act)
    try:
        arguments = decode_all(row.arguments)
        check_no_interest(actor=actor, act=act, arguments=arguments)
        _check_answered(act, arguments, reason)
        with transaction.atomic():
            _check_unchanged(row, act, arguments)
            row.result = _run(actor, row, act, arguments)
    except (Unavailable, OwnInterest, CautionNotAnswered):
        raise
    except (DomainError, ValidationError, IntegrityError) as refusal:
        return _fail(actor, row, reason, refusal)
    return _decide(actor, row, State.APPROVED, reason)


def _check_answered(act: GuardedAct, arguments: Mapping[str, Any], reason: str) -> None:
    caution = act.question_for_approver(**arguments) if act.question_for_approver else ""
    if caution and not visible_text(reason):
        raise CautionNotAnswered(caution)


def _locked(request: ApprovalRequest, expected_version: int | None) -> ApprovalRequest:
    row = lock_row(ApprovalRequest.objects.all(), pk=request.pk, expected_version=expected_version)
    if row.standing != State.WAITING:
        raise RequestIsDecided(row.get_standing_display())
    return row


def _check_unchanged(row: ApprovalRequest, act: GuardedAct, arguments: Mapping[str, Any]) -> None:
    if state_of(act, row.subject_type, row.subject_id, arguments) != row.subject_state:
        raise StaleVersion(_("The object has changed since this was asked for. Ask again."))
    asker = row.asked_by
    if asker is None:
        if row.asked_by_name != COMMAND_LINE:
            raise NotAllowed(_("The account of who asked is gone."))
        return
    if not asker.has_perm(act.permission) or (act.approver and not act.approver(asker)):
        raise NotAllowed(_("Who asked may not do this any more."))


def _run(
    actor: User, row: ApprovalRequest, act: GuardedAct, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    if not act.in_transaction:
        enqueue(RUN_TASK, row.pk, cluster=LONG_CLUSTER)
        return {"queued": True}
    details = {"approval_request": row.pk, "approved_by": actor.get_username()}
    with without_second_person(), context(audit_details=details, approver_id=actor.pk):
        result = act.run(actor=row.asked_by, arguments=arguments)
    if act.amount is not None:
        _check_amount(row, act, arguments, result)
    if isinstance(result, Model):
        return {"type": result._meta.label_lower, "id": result.pk}
    return {}


def _check_amount(
    row: ApprovalRequest, act: GuardedAct, arguments: Mapping[str, Any], result: Any
) -> None:
    """Refuse a sum that nobody has approved: it may grow while the request waits."""
    amount = act.amount_of(row.asked_by, arguments, result)
    if amount is not None and amount[0] != row.amount:
        raise RuleViolation(
            _("The amount has changed since this was asked for. Ask again."), code="amount_changed"
        )


def _fail(actor: User, row: ApprovalRequest, reason: str, refusal: Exception) -> ApprovalRequest:
    is_conflict = isinstance(refusal, IntegrityError)
    text = _("It conflicts with what is already stored.") if is_conflict else refusal_text(refusal)
    row.result = {"error": text}
    return _decide(actor, row, State.FAILED, reason)


@transaction.atomic
def refuse(
    *,
    actor: User,
    request: ApprovalRequest,
    reason: str,
    expected_version: int | None = None,
) -> ApprovalRequest:
    """Refuse an act, with the reason that who asked reads; raises what `approve` raises."""
    reason = visible_text(reason)
    if not reason:
        raise InvalidInput("reason", _("Say why it is refused."), code="required")
    row, act = _locked(request, expected_version), act_named(request.act)
    check_may_decide(actor=actor, request=row, act=act)
    try:
        check_no_interest(actor=actor, act=act, arguments=decode_all(row.arguments))
    except NotFound as gone:
        return _fail(actor, row, reason, gone)
    return _decide(actor, row, State.REFUSED, reason)


@transaction.atomic
def withdraw(
    *, actor: User, request: ApprovalRequest, expected_version: int | None = None
) -> ApprovalRequest:
    """Take one's own request back; raises `NotWhoAsked` and `RequestIsDecided`."""
    if actor.pk != request.asked_by_id:
        raise NotWhoAsked
    return _decide(actor, _locked(request, expected_version), State.WITHDRAWN, "")


def withdraw_all_of(*, account: User, reason: str) -> None:
    """Take back every request that an account asked for, in the order of their ids."""
    waiting = ApprovalRequest.objects.select_for_update().filter(
        asked_by=account, state=State.WAITING
    )
    for row in waiting.order_by("pk"):
        _decide(None, row, State.WITHDRAWN, reason)


def _decide(actor: User | None, row: ApprovalRequest, state: str, reason: str) -> ApprovalRequest:
    is_own = actor is not None and actor.pk == row.asked_by_id
    row.state = state
    row.decided_at = timezone.now()
    row.decided_by = None if is_own else actor
    row.decided_by_name = actor.get_username() if actor else ""
    row.decision_reason = visible_text(reason)[:LONGEST_REASON]
    row.bump()
    row.save()
    if state != State.APPROVED:
        _drop_files(row)
    audit.record(
        f"systemadmin.approval.{state}",
        actor=actor,
        target=row,
        before={"state": State.WAITING.value},
        after={"state": state, "act": row.act, "asked_by": row.asked_by_name, **row.result},
        reason=row.decision_reason,
    )
    if not is_own:
        approval_notices.notify_asker(row)
    return row


def _drop_files(row: ApprovalRequest) -> None:
    """Delete, once this is committed, the files that were stored for an act that will not be."""
    drop = act_named(row.act).discard_files
    if drop is not None:
        arguments = decode_found(row.arguments)
        transaction.on_commit(lambda: drop(**arguments), robust=True)


# -- by the clock ----------------------------------------------------------------------


def expire_due() -> int:
    """Mark the requests whose time is over; return how many."""
    due = EXPIRY.due(ApprovalRequest.objects.due_to_expire(timezone.now()))
    return sum(EXPIRY.each(due, _expire))


def _expire_of(row: ApprovalRequest) -> None:
    """Mark what is overdue for the same object, which would stand in the way of a new request."""
    overdue = ApprovalRequest.objects.due_to_expire(timezone.now())
    for pk in overdue.of_object(row.kind, row.subject_type, row.subject_id).values_list("pk"):
        _expire(*pk)


def _expire(pk: int) -> bool:
    row = lock_row(ApprovalRequest.objects.all(), pk=pk)
    if row.state != State.WAITING:
        return False
    _decide(None, row, State.EXPIRED, "")
    return True


def run_approved(request_id: int) -> None:
    """Run an approved act that must not run inside a transaction; a second call does nothing.

    A failure is kept in the request.
    """
    row = ApprovalRequest.objects.filter(pk=request_id, state=State.APPROVED).first()
    if row is None or "queued" not in row.result:
        return
    details = {"approval_request": row.pk, "approved_by": row.decided_by_name}
    try:
        with without_second_person(), context(audit_details=details):
            act_named(row.act).run(actor=row.asked_by, arguments=decode_all(row.arguments))
    except DomainError as refusal:
        ApprovalRequest.objects.filter(pk=row.pk, state=State.APPROVED).update(
            state=State.FAILED, result={"error": refusal_text(refusal)}
        )
        return
    ApprovalRequest.objects.filter(pk=row.pk, state=State.APPROVED).update(result={"done": True})
