"""Disputes: opened by a party, talked over with evidence, resolved by staff."""

from datetime import timedelta
from typing import Any, Literal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import DisputeDecided, DisputeTooLate
from marketplace.models import Dispute, DisputeMessage, Order
from marketplace.services import clock, concerned, risk
from marketplace.services.chargeback_entries import end_chargeback
from marketplace.services.holds import hold_for, release_holds
from marketplace.services.orders import recognise, record_sale, save_step
from marketplace.services.refunds import refund_locked
from marketplace.services.transitions import move
from marketplace.transitions import DISPUTE, ORDER
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput, RuleViolation
from systemadmin.foundation.files import accept_upload, safe_name
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import check_key_owner, decides

EVIDENCE_TYPES = {"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"}
EVIDENCE_BYTES = 5 * 1024 * 1024
MAX_MESSAGES = 500


@transaction.atomic
def open_dispute(
    *, actor: User, order: Order, reason: str, body: str, expected_version: int | None = None
) -> Dispute:
    """Open a dispute: the order goes no further, and the seller's share of it is held."""
    check_key_owner(concerns=concerned.parties(order=order), act="marketplace.open_dispute")
    return _open(actor, order, actor, reason, body, expected_version)


@decides(
    "marketplace.open_dispute_for_party",
    permission="marketplace.resolve_dispute",
    concerns=concerned.parties,
)
@transaction.atomic
def open_dispute_for_party(
    *,
    actor: User,
    order: Order,
    party: Literal["buyer", "seller"],
    reason: str,
    body: str,
    expected_version: int | None = None,
) -> Dispute:
    """Open a dispute for the buyer or the seller of an order, who told staff about it."""
    opened_by = order.buyer if party == "buyer" else order.seller
    return _open(actor, order, opened_by, reason, body, expected_version)


def _open(
    actor: User,
    order: Order,
    opened_by: User,
    reason: str,
    body: str,
    expected_version: int | None,
) -> Dispute:
    """Open the dispute of `opened_by`; the message is of whoever wrote it."""
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    before, _after = move(order, ORDER, "dispute")
    if order.disputes.exclude(status=Dispute.Status.OPEN).exists():
        raise DisputeDecided
    days = timedelta(days=setting("marketplace.dispute_days"))
    if order.paid_at is None or clock.now() > order.paid_at + days:
        raise DisputeTooLate
    dispute = Dispute(order=order, opened_by=opened_by, reason=reason)
    dispute.full_clean()
    dispute.save()
    if body:
        DisputeMessage.objects.create(dispute=dispute, author=actor, body=body)
    dispute.order = order
    hold_for(dispute, actor)
    save_step(actor, order, "dispute_opened", before, reason, dispute=dispute)
    risk.report_risk_event(
        "dispute_opened",
        account_id=order.seller_id,
        external_id=f"order-{order.pk}-dispute-{dispute.pk}",
        amount=order.refundable,
        currency=order.currency,
        data={"order": order.pk, "buyer": order.buyer_id, "reason": reason},
    )
    return dispute


@decides(
    "marketplace.add_dispute_note",
    permission="marketplace.resolve_dispute",
    concerns=concerned.parties_if_internal,
)
@transaction.atomic
def add_dispute_message(
    *, actor: User, dispute: Dispute, body: str, evidence: Any = None, is_internal: bool = False
) -> DisputeMessage:
    """Add a message, with a file as evidence if there is one."""
    dispute = lock_row(Dispute.objects.all(), pk=dispute.pk)
    check_key_owner(
        concerns=concerned.parties_of_dispute(dispute=dispute),
        act="marketplace.add_dispute_message",
    )
    if dispute.status != Dispute.Status.OPEN and not is_internal:
        raise RuleViolation(_("The dispute is resolved."), code="dispute_resolved")
    if dispute.messages.count() >= MAX_MESSAGES:
        raise RuleViolation(_("The dispute has too many messages."), code="too_many_messages")
    if not is_visible(body) and evidence is None:
        raise InvalidInput("body", _("Write something or attach a file."), code="required")
    message = DisputeMessage(dispute=dispute, author=actor, body=body, is_internal=is_internal)
    if evidence is not None:
        evidence, kind = accept_upload(
            evidence, max_bytes=EVIDENCE_BYTES, allowed=EVIDENCE_TYPES, field="evidence"
        )
        message.evidence_type = kind
        message.evidence_name = safe_name(evidence.name or "", content_type=kind)
        message.evidence.save(message.evidence_name, evidence, save=False)
    message.full_clean(exclude=["evidence"])
    message.save()
    audit.record(
        "marketplace.dispute.message_added",
        actor=actor,
        target=dispute,
        metadata={"message": message.pk, "is_internal": is_internal},
    )
    return message


@decides(
    "marketplace.resolve_dispute",
    permission="marketplace.resolve_dispute",
    concerns=concerned.parties_of_dispute,
)
@transaction.atomic
def resolve_dispute(
    *,
    actor: User,
    dispute: Dispute,
    in_favour_of: str,
    refund_amount: int | None = None,
    note: str = "",
    expected_version: int | None = None,
) -> Dispute:
    """Decide: for the buyer with a refund (all that is left by default), or for the seller."""
    order = lock_row(Order.objects.all(), pk=dispute.order_id)
    dispute = lock_row(Dispute.objects.all(), pk=dispute.pk, expected_version=expected_version)
    if in_favour_of == "seller" and refund_amount is not None:
        raise InvalidInput("refund_amount", _("Only a decision for the buyer refunds."))
    before, after = move(dispute, DISPUTE, f"resolve_{in_favour_of}")
    release_holds(dispute, order, actor)
    end_chargeback(dispute, order, actor)
    if in_favour_of == "buyer":
        # Opened again by an appeal, it may have refunded a part already.
        amount = refund_amount or max(0, dispute.charged_back - dispute.refund_amount) or None
        refund = refund_locked(
            order, actor, amount=amount, reason=note,
            # The bank took all of it back, whatever the schedule says.
            gives_kept_fees=bool(dispute.charged_back),
        )  # fmt: skip
        dispute.refund_amount += refund.amount
    _settle(order, actor, note, dispute)
    dispute.resolution_note = note
    dispute.resolved_at = clock.now()
    dispute.resolved_by = actor
    dispute.bump()
    dispute.full_clean()
    dispute.save()
    audit.record(
        "marketplace.dispute.resolved",
        actor=actor,
        target=dispute,
        before={"status": before},
        after={"status": after, "refund_amount": dispute.refund_amount},
        reason=note,
    )
    return dispute


def _settle(order: Order, actor: User, note: str, dispute: Dispute) -> None:
    """Close the order's part: a decision is final, so what remains is the seller's."""
    before = order.status
    if order.status == Order.Status.DISPUTED:
        move(order, ORDER, "close_dispute")
        if not order.is_recognised:
            recognise(order, actor)
            record_sale(order)
    save_step(actor, order, "dispute_resolved", before, note, dispute=dispute)
