"""Refunds, in part and in full, with the commission reversed cumulatively line by line."""

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import DisputeOpen, RefundTooHigh
from marketplace.models import CommissionLine, Order, OrderLine, Refund, RefundLine
from marketplace.refunds import Charged, Reversal, next_reversal, spread
from marketplace.services import ledger, risk
from marketplace.services.ledger import Code, Leg
from marketplace.services.orders import give_back, recognise, save_step
from marketplace.services.transitions import move
from marketplace.transitions import ORDER
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User


@dataclass(frozen=True, slots=True)
class Share:
    """What one line gives back."""

    line: OrderLine
    reversal: Reversal


@transaction.atomic
def refund_order(
    *,
    actor: User | None,
    order: Order,
    amount: int | None = None,
    line_id: int | None = None,
    reason: str = "",
    expected_version: int | None = None,
) -> Refund:
    """Give money back: an amount, or all that is left; of the order or of one line."""
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    if order.status == Order.Status.DISPUTED:
        raise DisputeOpen(_("Resolve the dispute instead."))
    return refund_locked(order, actor, amount=amount, line_id=line_id, reason=reason)


def refund_locked(
    order: Order,
    actor: User | None,
    *,
    amount: int | None = None,
    line_id: int | None = None,
    reason: str = "",
) -> Refund:
    """Refund an order whose row the caller has locked."""
    lines = list(order.lines.select_related("commission").order_by("pk"))
    if line_id is not None:
        lines = [line for line in lines if line.pk == line_id]
        if not lines:
            raise InvalidInput("line", _("The order has no such line."))
    left = [line.total - line.refunded for line in lines]
    amount = sum(left) if amount is None else amount
    if not 1 <= amount <= sum(left):
        raise RefundTooHigh(extra={"refundable": sum(left)})
    is_full = amount == order.refundable
    before, _after = move(order, ORDER, "refund_all" if is_full else "refund_part")
    shares = [
        Share(line, next_reversal(_charged(line.commission), _already(line), part))
        for line, part in zip(lines, spread(amount, left), strict=True)
        if part
    ]
    refund = _record(order, actor, amount, shares, reason)
    _book(order, actor, refund, shares)
    if is_full:
        _close(order, actor)
    save_step(actor, order, "refunded", before, reason, refund_id=refund.pk)
    risk.record(
        "refund",
        account_id=order.seller_id,
        external_id=f"order-{order.pk}-refund-{refund.number}",
        amount=amount,
        currency=order.currency,
        data={"order": order.pk, "buyer": order.buyer_id},
    )
    return refund


def _charged(line: CommissionLine) -> Charged:
    return Charged(
        captured=line.captured,
        commission=line.amount,
        refundable=line.refundable,
        tax=line.tax,
        refund_fee_ppm=line.refund_fee_ppm,
        refund_fee_maximum=line.refund_fee_maximum,
    )


def _already(line: OrderLine) -> Reversal:
    return Reversal(line.refunded, line.refunded_commission, line.refunded_tax)


def _record(
    order: Order, actor: User | None, amount: int, shares: list[Share], reason: str
) -> Refund:
    refund = Refund.objects.create(
        order=order,
        number=order.refunds.count() + 1,
        amount=amount,
        commission=sum(share.reversal.commission for share in shares),
        tax=sum(share.reversal.tax for share in shares),
        reason=reason,
        actor=actor,
    )
    RefundLine.objects.bulk_create(
        [
            RefundLine(
                refund=refund,
                line=share.line,
                amount=share.reversal.refunded,
                commission=share.reversal.commission,
                tax=share.reversal.tax,
            )
            for share in shares
        ]
    )
    for share in shares:
        share.line.refunded += share.reversal.refunded
        share.line.refunded_commission += share.reversal.commission
        share.line.refunded_tax += share.reversal.tax
    fields = ["refunded", "refunded_commission", "refunded_tax"]
    OrderLine.objects.bulk_update([share.line for share in shares], fields)
    order.refunded += refund.amount
    order.refunded_commission += refund.commission
    order.refunded_tax += refund.tax
    return refund


def _book(order: Order, actor: User | None, refund: Refund, shares: list[Share]) -> None:
    """The refunds account is passed through, so that its turnover is the sum of refunds."""
    legs = [
        Leg(Code.REFUNDS, -refund.amount),
        Leg(Code.REFUNDS, refund.amount),
        Leg(Code.CASH, -refund.amount),
    ]
    if order.is_recognised:
        balances = ledger.lock_seller(order.seller_id, order.currency)
        for share in shares:
            legs.append(Leg(Code.REVENUE, share.reversal.commission, None, share.line.pk))
            legs.append(Leg(Code.TAX, share.reversal.tax, None, share.line.pk))
        seller = sum(share.reversal.seller for share in shares)
        legs += ledger.move_seller(order.seller_id, balances, -seller)
    else:
        legs.append(Leg(Code.BUYER_FUNDS, refund.amount))
    ledger.post(
        key=f"order:{order.pk}:refund:{refund.number}",
        kind="refund",
        currency=order.currency,
        legs=legs,
        actor=actor,
        order=order,
        refund=refund,
        is_demo=order.buyer.is_demo,
    )


def _close(order: Order, actor: User | None) -> None:
    """A full refund before completion: goods go back, fees that stay are booked."""
    if order.is_recognised:
        return
    give_back(order)
    recognise(order, actor)
