"""Acts over money that need a second person: from which amount, and what who decides is shown."""

from datetime import date
from typing import Any, Final

from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as _

from marketplace.models import LedgerEntry, Order, Payout, PayoutBatch
from marketplace.querysets.payouts import came_back, waiting_for_a_file
from marketplace.services import payee_accounts
from systemadmin.foundation.money import format_money
from systemadmin.models import User
from systemadmin.services.duties import accounts_of
from systemadmin.services.second_person import (
    Attempt,
    MoneyLimit,
    Subject,
    needs_second_person,
)

_PAYOUTS: Final = "duties.second_person_payout_limit"
_CREATED: Final = MoneyLimit(kind="payout.created", setting=_PAYOUTS)
_PAID: Final = MoneyLimit(kind="payout.paid", setting=_PAYOUTS)
_RETURNED: Final = MoneyLimit(kind="payout.returned", setting=_PAYOUTS)
_SENT: Final = MoneyLimit(kind="payout.sent", setting=_PAYOUTS)
PAYMENT: Final = MoneyLimit(kind="payment", setting="duties.second_person_payment_limit")


def _counts(_attempt: Attempt) -> bool:
    return True


def _is_return(attempt: Attempt) -> bool:
    return bool(attempt.result.status == Payout.Status.RETURNED)


def _may_be_on_its_way(attempt: Attempt) -> bool:
    """Return whether the payout lies in a file for the bank, and no word of the bank is known.

    A bank statement that the actor imported is not the bank's word: it could be written by hand.
    Nor is one by a service key, which may have been the actor's own and handed over since.
    """
    payout: Payout = attempt.result
    if payout.batch_id is None:
        return False
    told = came_back(payout).exclude(statement__actor__is_service=True)
    own = accounts_of(attempt.actor.pk)
    return all(pk in own for pk in told.values_list("statement__actor", flat=True))


def _is_return_or_on_its_way(attempt: Attempt) -> bool:
    return _is_return(attempt) or _may_be_on_its_way(attempt)


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
        *([(_("payout batch"), str(payout.batch))] if payout.batch else []),
        (_("created by"), str(payout.created_by or "")),
        *payee_accounts.shown_of(payout.seller),
    ]


def _shown_seller(*, seller: User, currency: str) -> list[tuple[Any, Any]]:
    unclaimed = LedgerEntry.objects.unclaimed(seller.pk, currency)
    amount = -(unclaimed.aggregate(sum=Sum("amount"))["sum"] or 0)
    return [
        (_("seller"), seller.get_username()),
        (_("payable now"), format_money(amount, currency)),
        *payee_accounts.shown_of(seller),
    ]


_PAYOUT_RULE: Final = _("from `duties.second_person_payout_limit`, summed over 24 hours")
_SENT_RULE: Final = _(
    "from `duties.second_person_payout_limit`, summed over 24 hours; always to an account that "
    "somebody else than the seller entered within `duties.new_account_days`"
)
_SHOWN_SELLERS: Final = 20


def owed_by_platform(order: Order) -> int:
    """Return what a payment makes the platform owe: what the buyer paid, and its own discount."""
    return order.total + order.platform_discount


def _shown_discount(order: Order) -> list[tuple[Any, Any]]:
    if not order.platform_discount:
        return []
    shown = format_money(order.platform_discount, order.currency)
    return [(_("discount by the platform"), shown)]


def _is_payment_by_hand(attempt: Attempt) -> bool:
    """Return whether staff, not the payment service, recorded that money came in."""
    is_new = attempt.result.paid_at != attempt.before
    return bool(is_new and attempt.actor.is_staff)


def _paid_by_hand(payout: Payout) -> list[int]:
    """Return whom a payout goes to; one in a file goes to the account in that file."""
    return [] if payout.batch_id else [payout.seller_id]


def _goes_to_new_account(attempt: Attempt) -> bool:
    return bool(payee_accounts.changes_by_others(_paid_by_hand(attempt.result)))


def _is_paid_now(attempt: Attempt) -> bool:
    """Return whether payouts of a batch became paid now."""
    return bool(attempt.result)


def _pending(currency: str) -> Any:
    return waiting_for_a_file().filter(currency=currency)


def _sellers_pending(currency: str) -> list[int]:
    return list(_pending(currency).values_list("seller_id", flat=True))


def _state_of_pending(*, currency: str, **_rest: Any) -> list[Any]:
    """Return what a new batch would take: these payouts, to these accounts, are approved."""
    pending = list(_pending(currency).order_by("pk").values_list("pk", "amount"))
    return [currency, pending, payee_accounts.stamps(_sellers_pending(currency))]


def _shown_new_batch(
    *, currency: str, execution_on: date | None = None, **_rest: Any
) -> list[tuple[Any, Any]]:
    pending = _pending(currency)
    found = pending.aggregate(sum=Sum("amount"), count=Count("pk"))
    largest = pending.select_related("seller").order_by("-amount", "pk")[:_SHOWN_SELLERS]
    return [
        (_("payouts"), str(found["count"])),
        (_("amount"), format_money(found["sum"] or 0, currency)),
        (_("day"), str(execution_on or _("the day it is approved"))),
        *((one.seller.get_username(), format_money(one.amount, currency)) for one in largest),
        *payee_accounts.shown_recent(_sellers_pending(currency)),
    ]


def _batch_amount(attempt: Attempt) -> tuple[int, str]:
    batch: PayoutBatch = attempt.arguments["batch"]
    return batch.amount, batch.currency


def _state_of_batch(*, batch: PayoutBatch) -> list[Any]:
    pending = batch.payouts.filter(status=Payout.Status.PENDING)
    return [batch.pk, list(pending.order_by("pk").values_list("pk", "amount"))]


create_payout = needs_second_person(
    "marketplace.create_payout",
    kind="payout",
    title=_("Create a payout"),
    permission="marketplace.add_payout",
    rule=_PAYOUT_RULE,
    needs=_counts,
    limit=_CREATED,
    subject=lambda attempt: attempt.arguments["seller"],
    amount=_amount,
    # What is approved is the sum, which is compared once the payout is made.
    state=lambda *, seller, currency: [
        seller.pk,
        currency,
        payee_accounts.stamps([seller.pk]),
    ],
    shown=_shown_seller,
    question_for_approver=lambda *, seller, currency: payee_accounts.caution([seller.pk]),
    excluded_approvers=lambda *, seller, currency: payee_accounts.authors([seller.pk]),
)

pay_payout = needs_second_person(
    "marketplace.pay_payout",
    kind="payout",
    title=_("Mark a payout as paid"),
    permission="marketplace.change_payout",
    rule=_SENT_RULE,
    needs=_counts,
    limit=_PAID,
    always_needed=_goes_to_new_account,
    subject=_payout,
    amount=_amount,
    state=lambda *, payout, **_rest: [
        payout.version,
        payee_accounts.stamps([payout.seller_id]),
    ],
    shown=_shown,
    question_for_approver=lambda *, payout, **_rest: payee_accounts.caution(_paid_by_hand(payout)),
    excluded_approvers=lambda *, payout, **_rest: payee_accounts.authors([payout.seller_id]),
)

return_payout = needs_second_person(
    "marketplace.fail_payout",
    kind="payout",
    title=_("Mark a payout as failed or returned"),
    permission="marketplace.change_payout",
    rule=_(
        "a paid one, from `duties.second_person_payout_limit`, summed over 24 hours; always one in "
        "a file for the bank, unless a bank statement that somebody else imported shows its return"
    ),
    needs=_is_return_or_on_its_way,
    limit=_RETURNED,
    always_needed=_may_be_on_its_way,
    subject=_payout,
    amount=_amount,
    shown=_shown,
)

cancel_payout = needs_second_person(
    "marketplace.cancel_payout",
    kind="payout",
    title=_("Cancel a payout that the bank may carry out"),
    permission="marketplace.change_payout",
    rule=_(
        "when it is in a file for the bank, unless a bank statement that somebody else imported "
        "shows its return"
    ),
    needs=_may_be_on_its_way,
    subject=_payout,
    amount=_amount,
    shown=_shown,
)

pay_order = needs_second_person(
    "marketplace.pay_order",
    kind="money",
    title=_("Record a payment by hand"),
    permission="marketplace.pay_order",
    rule=_("by staff, from `duties.second_person_payment_limit`, summed over 24 hours"),
    needs=_is_payment_by_hand,
    limit=PAYMENT,
    subject=lambda attempt: attempt.arguments["order"],
    amount=lambda attempt: (owed_by_platform(attempt.result), attempt.result.currency),
    before=lambda *, order, **_rest: order.paid_at,
    shown=lambda *, order, reference="", **_rest: [
        (_("order"), str(order)),
        (_("buyer"), order.buyer.get_username()),
        (_("seller"), order.seller.get_username()),
        (_("amount"), format_money(order.total, order.currency)),
        *_shown_discount(order),
        (_("payment reference"), reference),
    ],
)

create_payout_batch = needs_second_person(
    "marketplace.create_payout_batch",
    kind="payout",
    title=_("Make a payment file for the bank"),
    permission="marketplace.add_payoutbatch",
    rule=_SENT_RULE,
    needs=_counts,
    limit=_SENT,
    always_needed=lambda attempt: bool(
        payee_accounts.changes_by_others(attempt.result.payouts.values_list("seller_id", flat=True))
    ),
    subject=lambda attempt: Subject(
        type="payout_batch",
        id=attempt.arguments["currency"],
        name=format_money(attempt.result.amount, attempt.result.currency),
    ),
    amount=_amount,
    state=_state_of_pending,
    shown=_shown_new_batch,
    question_for_approver=lambda *, currency, **_rest: payee_accounts.caution(
        _sellers_pending(currency)
    ),
    excluded_approvers=lambda *, currency, **_rest: payee_accounts.authors(
        _sellers_pending(currency)
    ),
)

pay_payout_batch = needs_second_person(
    "marketplace.pay_payout_batch",
    kind="payout",
    title=_("Mark a payout batch as paid"),
    permission="marketplace.change_payoutbatch",
    rule=_PAYOUT_RULE,
    needs=_is_paid_now,
    limit=_PAID,
    subject=lambda attempt: attempt.arguments["batch"],
    amount=_batch_amount,
    # What is approved are the payouts that are pending now: a failed one is not paid with it.
    state=_state_of_batch,
    shown=lambda *, batch: [
        (_("payout batch"), str(batch)),
        (_("payouts"), str(batch.count)),
        (_("amount"), format_money(batch.amount, batch.currency)),
        (_("created by"), str(batch.created_by or "")),
    ],
)
