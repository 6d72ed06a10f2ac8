"""Acts over money that need a second person: from which amount, and what who decides is shown."""

from typing import Any, Final

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from marketplace.models import LedgerEntry, Payout
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.money import format_money
from systemadmin.models import User
from systemadmin.services.second_person import Attempt, needs_second_person


def _is_large(attempt: Attempt) -> bool:
    return bool(attempt.result.amount >= setting("duties.second_person_payout_limit"))


def _is_large_return(attempt: Attempt) -> bool:
    return attempt.result.status == Payout.Status.RETURNED and _is_large(attempt)


def _amount(attempt: Attempt) -> tuple[int, str]:
    return attempt.result.amount, attempt.result.currency


def _payout(attempt: Attempt) -> Payout:
    payout: Payout = attempt.arguments["payout"]
    return payout


def _shown(*, payout: Payout, **_rest: Any) -> list[tuple[Any, Any]]:
    return [
        (_("payout"), str(payout)),
        (_("seller"), payout.seller.get_username()),
        (_("amount"), format_money(payout.amount, payout.currency)),
        (_("status"), payout.get_status_display()),
        (_("created by"), str(payout.created_by or "")),
    ]


def _shown_seller(*, seller: User, currency: str) -> list[tuple[Any, Any]]:
    unclaimed = LedgerEntry.objects.unclaimed(seller.pk, currency)
    amount = -(unclaimed.aggregate(sum=Sum("amount"))["sum"] or 0)
    return [
        (_("seller"), seller.get_username()),
        (_("payable now"), format_money(amount, currency)),
    ]


_PAYOUT_RULE: Final = _("from `duties.second_person_payout_limit`")


def _is_large_payment_by_hand(attempt: Attempt) -> bool:
    """Return whether staff, not the payment service, say that much money came in."""
    order = attempt.result
    is_new = order.paid_at != attempt.before
    is_large = order.total >= setting("duties.second_person_payment_limit")
    return bool(is_new and is_large and attempt.actor.is_staff)


create_payout = needs_second_person(
    "marketplace.create_payout",
    kind="payout",
    title=_("Create a payout"),
    permission="marketplace.add_payout",
    rule=_PAYOUT_RULE,
    needs=_is_large,
    subject=lambda attempt: attempt.arguments["seller"],
    amount=_amount,
    # What is approved is the sum, which is compared once the payout is made.
    state=lambda *, seller, currency: [seller.pk, currency],
    shown=_shown_seller,
)

pay_payout = needs_second_person(
    "marketplace.pay_payout",
    kind="payout",
    title=_("Mark a payout as paid"),
    permission="marketplace.change_payout",
    rule=_PAYOUT_RULE,
    needs=_is_large,
    subject=_payout,
    amount=_amount,
    shown=_shown,
)

return_payout = needs_second_person(
    "marketplace.fail_payout",
    kind="payout",
    title=_("Give a paid payout back to the seller's balance"),
    permission="marketplace.change_payout",
    rule=_("a paid one, from `duties.second_person_payout_limit`"),
    needs=_is_large_return,
    subject=_payout,
    amount=_amount,
    shown=_shown,
)

pay_order = needs_second_person(
    "marketplace.pay_order",
    kind="money",
    title=_("Record a payment by hand"),
    permission="marketplace.pay_order",
    rule=_("by staff, from `duties.second_person_payment_limit`"),
    needs=_is_large_payment_by_hand,
    subject=lambda attempt: attempt.arguments["order"],
    amount=lambda attempt: (attempt.result.total, attempt.result.currency),
    before=lambda *, order, **_rest: order.paid_at,
    shown=lambda *, order, reference="", **_rest: [
        (_("order"), str(order)),
        (_("buyer"), order.buyer.get_username()),
        (_("seller"), order.seller.get_username()),
        (_("amount"), format_money(order.total, order.currency)),
        (_("payment reference"), reference),
    ],
)
