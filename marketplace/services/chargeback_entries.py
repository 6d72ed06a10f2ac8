"""What a chargeback moves: the payment service takes its amount until it is decided."""

from typing import Any

from marketplace.models import Dispute, Order
from marketplace.services import ledger
from marketplace.services.ledger import Code, Leg


def begin_chargeback(dispute: Dispute, order: Order, actor: Any) -> None:
    """Book what the payment service took back, and its fee."""
    _post(
        dispute,
        order,
        actor,
        "chargeback",
        [
            Leg(Code.CHARGEBACKS, dispute.charged_back),
            Leg(Code.DISPUTE_FEES, dispute.fee),
            Leg(Code.CASH, -dispute.charged_back - dispute.fee),
        ],
    )


def end_chargeback(dispute: Dispute, order: Order, actor: Any) -> None:
    """Book the amount back once it is decided; a refund to the buyer takes it again."""
    _post(
        dispute,
        order,
        actor,
        "chargeback_decided",
        [Leg(Code.CASH, dispute.charged_back), Leg(Code.CHARGEBACKS, -dispute.charged_back)],
    )


def _post(dispute: Dispute, order: Order, actor: Any, what: str, legs: list[Leg]) -> None:
    ledger.post(
        key=f"dispute:{dispute.pk}:{what}",
        kind="chargeback",
        currency=order.currency,
        legs=legs,
        actor=actor,
        order=order,
        dispute=dispute,
        is_demo=order.buyer.is_demo,
    )
