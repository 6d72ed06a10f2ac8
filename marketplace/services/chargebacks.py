"""Chargebacks that the payment service reports, appeals, and the pack of evidence for the bank."""

import json
import zipfile
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import AppealTooLate
from marketplace.models import Dispute, Order
from marketplace.services import clock, concerned, risk
from marketplace.services.chargeback_entries import begin_chargeback
from marketplace.services.holds import hold_for
from marketplace.services.orders import save_step
from marketplace.services.transitions import move
from marketplace.transitions import DISPUTE, ORDER
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides


@decides(
    "marketplace.record_chargeback",
    permission="marketplace.record_chargeback",
    concerns=concerned.parties,
)
@transaction.atomic
def record_chargeback(
    *,
    actor: User | None,
    order: Order,
    reference: str,
    network_reason: str = "",
    amount: int | None = None,
    fee: int = 0,
    evidence_due_at: datetime | None = None,
) -> Dispute:
    """Record that the payment service took a payment back: a dispute, opened or joined.

    Told twice with the same reference it happened once. `amount` is all that is left by default.
    """
    order = lock_row(Order.objects.all(), pk=order.pk)
    known = Dispute.objects.filter(external_reference=reference, order=order).first()
    if known:
        return known
    amount = order.outstanding if amount is None else amount
    _check_told(order, reference, amount, fee)
    dispute = Dispute.objects.filter(order=order, status=Dispute.Status.OPEN).first()
    if dispute is None:
        before, _after = move(order, ORDER, "dispute")
        dispute = Dispute(order=order, opened_by=order.buyer, reason=Dispute.Reason.UNAUTHORISED)
    elif dispute.external_reference:
        raise InvalidInput("reference", _("The order's dispute has another chargeback."))
    else:
        before = order.status
        dispute.bump()
    dispute.source = Dispute.Source.PAYMENT_SERVICE
    dispute.external_reference, dispute.network_reason = reference, network_reason
    dispute.charged_back, dispute.fee, dispute.evidence_due_at = amount, fee, evidence_due_at
    dispute.full_clean()
    dispute.save()
    dispute.order = order
    begin_chargeback(dispute, order, actor)
    hold_for(dispute, actor)
    save_step(actor, order, "dispute_opened", before, network_reason, dispute=dispute)
    _record_risk(order, dispute)
    return dispute


def _record_risk(order: Order, dispute: Dispute) -> None:
    risk.report_risk_event(
        "dispute_opened",
        account_id=order.seller_id,
        external_id=f"order-{order.pk}-dispute-{dispute.pk}",
        amount=dispute.charged_back,
        currency=order.currency,
        data={"order": order.pk, "buyer": order.buyer_id, "reason": dispute.network_reason},
    )


def _check_told(order: Order, reference: str, amount: int, fee: int) -> None:
    if not is_visible(reference):
        raise InvalidInput("reference", _("The payment service's id."), code="required")
    if not 1 <= amount <= order.outstanding:
        raise InvalidInput("amount", _("Not more than is left of the order."))
    if not 0 <= fee <= order.total:
        raise InvalidInput("fee", _("Not more than the order's total."))


@decides(
    "marketplace.appeal_dispute",
    permission="marketplace.appeal_dispute",
    concerns=concerned.parties_of_dispute,
)
@transaction.atomic
def appeal_dispute(
    *, actor: User, dispute: Dispute, reason: str, expected_version: int | None = None
) -> Dispute:
    """Open a decided dispute again: the seller's share of what is left is held anew."""
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why it is decided again."), code="required")
    order = lock_row(Order.objects.all(), pk=dispute.order_id)
    dispute = lock_row(Dispute.objects.all(), pk=dispute.pk, expected_version=expected_version)
    decided, _open = move(dispute, DISPUTE, "appeal")
    if order.status != Order.Status.COMPLETED:
        raise AppealTooLate
    before, _after = move(order, ORDER, "dispute")
    dispute.appealed_at = clock.now()
    dispute.resolved_at = dispute.resolved_by = None
    dispute.held_amount = 0
    dispute.bump()
    dispute.full_clean()
    dispute.save()
    dispute.order = order
    hold_for(dispute, actor)
    save_step(actor, order, "dispute_opened", before, reason, dispute=dispute)
    audit.record(
        "marketplace.dispute.appealed",
        actor=actor,
        target=dispute,
        before={"status": decided, "note": dispute.resolution_note},
        after={"status": dispute.status},
        reason=reason,
    )
    return dispute


@decides(
    "marketplace.evidence_pack",
    permission="marketplace.resolve_dispute",
    concerns=concerned.parties_of_dispute,
)
def evidence_pack(*, actor: User, dispute: Dispute) -> IO[bytes]:
    """Return a ZIP for the bank: order, messages of the parties and their files.

    Notes of staff are left out. Who takes it is on record.
    """
    file = TemporaryFile("w+b")  # noqa: SIM115 - the response closes it
    messages = list(
        dispute.messages.filter(is_internal=False).select_related("author").order_by("pk")
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("dispute.json", json.dumps(_facts(dispute), indent=1, default=str))
        lines = [
            f"{one.created_at:%Y-%m-%d %H:%M} {one.author.username}: {one.body}" for one in messages
        ]
        pack.writestr("messages.txt", "\n".join(lines) + "\n")
        for one in messages:
            if one.evidence:
                with one.evidence.open("rb") as kept:
                    pack.writestr(f"files/{one.pk}-{one.evidence_name}", kept.read())
    file.seek(0)
    audit.record("marketplace.dispute.evidence_exported", actor=actor, target=dispute)
    return file


def _facts(dispute: Dispute) -> dict[str, Any]:
    order = dispute.order
    return {
        "chargeback": dispute.external_reference,
        "reason": dispute.network_reason or dispute.reason,
        "amount": dispute.charged_back,
        "evidence_until": dispute.evidence_due_at,
        "order": order.pk,
        "payment": order.payment_reference,
        "paid_at": order.paid_at,
        "completed_at": order.completed_at,
        "currency": order.currency,
        "total": order.total,
        "refunded": order.refunded,
        "buyer": order.buyer.username,
        "seller": order.seller.username,
        "lines": list(order.lines.values("title", "quantity", "unit_price", "shipping", "total")),
    }
