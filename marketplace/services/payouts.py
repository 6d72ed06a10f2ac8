"""Payouts: claim what a seller may have, once; pay it, or fail and try the same one again."""

from datetime import date, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.configuration import parse_minimum
from marketplace.errors import NothingToPay, PayoutHeld, PayoutOpen, SellerOwes
from marketplace.models import (
    Dispute,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Payout,
    PayoutItem,
    SellerProfile,
)
from marketplace.services import approval_policies, clock, concerned, ledger, risk
from marketplace.services.announcements import announce_payout
from marketplace.services.holds import extend_holds
from marketplace.services.ledger import Code, Leg
from marketplace.services.payout_fees import give_fees_back, keep_fees, quote_payout
from marketplace.services.transitions import move
from marketplace.transitions import PAYOUT
from riskops.querysets import is_confirmed_fraud
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides

RUN = Batch("marketplace.run_payouts")


@decides(
    "marketplace.create_payout", permission="marketplace.add_payout", concerns=concerned.paid_seller
)
@approval_policies.create_payout
@transaction.atomic
def create_payout(*, actor: User | None, seller: User, currency: str) -> Payout:
    """Claim every entry payable to the seller that no payout has claimed.

    Fees per payout are taken from it; the rest is what the seller receives.
    """
    check_payable(seller)
    balances = ledger.lock_seller(seller.pk, currency)
    _net_debt(seller, currency, balances, actor)
    extend_holds(seller.pk, currency, actor)
    unsettled = Payout.objects.filter(status__in=["pending", "failed"])
    if unsettled.filter(seller=seller, currency=currency).exists():
        raise PayoutOpen
    entries = payable_entries(seller, currency)
    amount = -sum(value for _pk, value in entries)
    minimum = minimum_payout(currency)
    if amount < minimum:
        raise NothingToPay(extra={"available": max(0, amount), "minimum": minimum})
    quote = quote_payout(seller_id=seller.pk, currency=currency, gross=amount)
    if quote.amount < 1:
        raise NothingToPay(extra={"available": amount, "fees": quote.fee + quote.fee_tax})
    payout = Payout(
        seller=seller,
        currency=currency,
        amount=quote.amount,
        fee=quote.fee,
        fee_tax=quote.fee_tax,
        fee_trace=list(quote.charged.trace) if quote.charged.charges else [],
        created_by=actor,
    )
    payout.full_clean()
    payout.save()
    keep_fees(payout, quote, actor)
    _post_creation(payout, actor)
    _claim(payout, [pk for pk, _value in entries])
    _note(actor, payout, "created", "")
    return payout


def _post_creation(payout: Payout, actor: User | None) -> None:
    ledger.post(
        key=f"payout:{payout.pk}:created",
        kind="payout",
        currency=payout.currency,
        legs=[
            Leg(Code.SELLER_PAYABLE, payout.amount, payout.seller_id),
            Leg(Code.IN_TRANSIT, -payout.amount),
        ],
        actor=actor,
        payout=payout,
        is_demo=payout.seller.is_demo,
    )


def _claim(payout: Payout, entries: list[int]) -> None:
    """Claim entries for a payout, with its own debits: its claims add up to zero."""
    own = LedgerEntry.objects.filter(transaction__payout=payout, account__code=Code.SELLER_PAYABLE)
    claimed = entries + list(own.values_list("pk", flat=True))
    PayoutItem.objects.bulk_create(
        [PayoutItem(payout=payout, entry_id=pk) for pk in claimed], batch_size=1000
    )


def _net_debt(seller: User, currency: str, balances: dict[str, int], actor: User | None) -> None:
    """Take what the seller owes from what is there, before anything is paid out."""
    owed = min(max(0, balances[Code.CLAWBACK]), ledger.available(balances))
    if not owed:
        return
    before = LedgerTransaction.objects.filter(
        kind="netting", entries__account__seller=seller, entries__currency=currency
    )
    number = before.distinct().count() + 1
    ledger.post(
        key=f"netting:{seller.pk}:{currency}:{number}",
        kind="netting",
        currency=currency,
        legs=[Leg(Code.SELLER_PAYABLE, owed, seller.pk), Leg(Code.CLAWBACK, -owed, seller.pk)],
        actor=actor,
        is_demo=seller.is_demo,
    )


def payable_entries(seller: User, currency: str) -> list[tuple[int, int]]:
    """Return the unclaimed entries, less the newest credits that are the reserve.

    The reserve is a share of what was credited in the last days. An entry is paid whole or not at
    all, so at least the share stays.
    """
    unclaimed = LedgerEntry.objects.unclaimed(seller.pk, currency)
    rows = list(unclaimed.order_by("pk").values_list("pk", "amount", "transaction__posted_at"))
    since = clock.now() - timedelta(days=setting("marketplace.payout_reserve_days"))
    recent = [(pk, -value) for pk, value, moment in rows if value < 0 and moment > since]
    percent = setting("marketplace.payout_reserve_percent")
    reserve = -(-sum(value for _pk, value in recent) * percent // 100)
    kept: set[int] = set()
    for pk, value in reversed(recent):
        if reserve <= 0:
            break
        kept.add(pk)
        reserve -= value
    return [(pk, value) for pk, value, _moment in rows if pk not in kept]


def minimum_payout(currency: str) -> int:
    """Return the smallest payout of a currency in minor units."""
    for text in setting("marketplace.minimum_payouts"):
        code, amount = parse_minimum(text)
        if code == currency:
            return amount
    return setting("marketplace.minimum_payout")


@decides(
    "marketplace.pay_payout",
    permission="marketplace.change_payout",
    concerns=concerned.seller_of_payout,
)
@approval_policies.pay_payout
@transaction.atomic
def pay_payout(
    *, actor: User | None, payout: Payout, reference: str = "", expected_version: int | None = None
) -> Payout:
    """Record that the money arrived."""
    payout = lock_row(Payout.objects.all(), pk=payout.pk, expected_version=expected_version)
    check_payable(payout.seller)
    before, _after = move(payout, PAYOUT, "mark_paid")
    payout.paid_at = clock.now()
    payout.reference = reference
    payout.failure_reason = ""
    ledger.post(
        key=f"payout:{payout.pk}:paid",
        kind="payout_paid",
        currency=payout.currency,
        legs=[Leg(Code.IN_TRANSIT, payout.amount), Leg(Code.CASH, -payout.amount)],
        actor=actor,
        payout=payout,
        is_demo=payout.seller.is_demo,
    )
    return _step(actor, payout, "paid", before)


@decides(
    "marketplace.fail_payout",
    permission="marketplace.change_payout",
    concerns=concerned.seller_of_payout,
)
@approval_policies.return_payout
@transaction.atomic
def fail_payout(
    *, actor: User, payout: Payout, reason: str, expected_version: int | None = None
) -> Payout:
    """Record that it did not arrive, or that the bank returned it.

    One that was on its way keeps its entries and can be tried again or cancelled. One that was
    paid goes back to the seller's balance.
    """
    payout = _locked(payout, reason, expected_version)
    before, after = move(payout, PAYOUT, "mark_failed")
    payout.failure_reason = reason
    if after == Payout.Status.RETURNED:
        _give_back(payout, Code.CASH, "returned", actor)
        return _step(actor, payout, "returned", before, reason)
    return _step(actor, payout, "failed", before, reason)


@decides(
    "marketplace.cancel_payout",
    permission="marketplace.change_payout",
    concerns=concerned.seller_of_payout,
)
@approval_policies.cancel_payout
@transaction.atomic
def cancel_payout(
    *, actor: User, payout: Payout, reason: str, expected_version: int | None = None
) -> Payout:
    """Give a payout up that has not arrived: its amount goes back to the seller's balance.

    Debts that the seller has by now are paid from it first.
    """
    payout = _locked(payout, reason, expected_version)
    before, _after = move(payout, PAYOUT, "cancel")
    payout.failure_reason = reason
    _give_back(payout, Code.IN_TRANSIT, "cancelled", actor)
    return _step(actor, payout, "cancelled", before, reason)


def _locked(payout: Payout, reason: str, expected_version: int | None) -> Payout:
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say what went wrong."), code="required")
    return lock_row(Payout.objects.all(), pk=payout.pk, expected_version=expected_version)


def _give_back(payout: Payout, source: str, what: str, actor: User) -> None:
    balances = ledger.lock_seller(payout.seller_id, payout.currency)
    ledger.post(
        key=f"payout:{payout.pk}:{what}",
        kind=f"payout_{what}",
        currency=payout.currency,
        legs=[
            Leg(source, payout.amount),
            *ledger.credit_seller(payout.seller_id, balances, payout.amount),
        ],
        actor=actor,
        payout=payout,
        is_demo=payout.seller.is_demo,
    )
    give_fees_back(payout, actor)


@decides(
    "marketplace.retry_payout",
    permission="marketplace.change_payout",
    concerns=concerned.seller_of_payout,
)
@transaction.atomic
def retry_payout(*, actor: User, payout: Payout, expected_version: int | None = None) -> Payout:
    """Try a failed payout again: the same payout, so that nothing can be paid twice."""
    payout = lock_row(Payout.objects.all(), pk=payout.pk, expected_version=expected_version)
    check_payable(payout.seller)
    if ledger.lock_seller(payout.seller_id, payout.currency)[Code.CLAWBACK] > 0:
        raise SellerOwes
    before, _after = move(payout, PAYOUT, "retry")
    payout.attempts += 1
    return _step(actor, payout, "retried", before)


def check_payable(seller: User) -> None:
    """Raise `PayoutHeld` with the reasons why nothing is paid out to a seller now."""
    reasons = hold_reasons(seller)
    if reasons:
        raise PayoutHeld(extra={"reasons": reasons})


def hold_reasons(seller: User) -> list[str]:
    """Return why nothing is paid out to a seller now; an empty list when nothing is against it."""
    reasons = []
    if seller.is_suspended:
        reasons.append("suspended")
    if is_confirmed_fraud(seller.pk):
        reasons.append("fraud")
    known = risk.seller_risk([seller.pk]).get(seller.pk)
    if known and known["score"] > setting("marketplace.payout_most_risk"):
        reasons.append("risk")
    if setting("marketplace.payout_waits_for_disputes") and _has_open_dispute(seller):
        reasons.append("dispute")
    if setting("marketplace.payout_needs_identity") and not _is_verified(seller):
        reasons.append("identity")
    return reasons


def _has_open_dispute(seller: User) -> bool:
    return Dispute.objects.filter(order__seller=seller, status=Dispute.Status.OPEN).exists()


def _is_verified(seller: User) -> bool:
    verified = SellerProfile.Identity.VERIFIED
    return SellerProfile.objects.filter(user=seller, identity=verified).exists()


def _step(actor: User | None, payout: Payout, what: str, before: str, reason: str = "") -> Payout:
    payout.bump()
    payout.full_clean()
    payout.save()
    _note(actor, payout, what, before, reason)
    return payout


def _note(actor: User | None, payout: Payout, what: str, before: str, reason: str = "") -> None:
    audit.record(
        f"marketplace.payout.{what}",
        actor=actor,
        target=payout,
        before={"status": before},
        after={"status": payout.status, "amount": payout.amount},
        reason=reason,
    )
    announce_payout(payout, what)


# -- by the clock ------------------------------------------------------------------------


def run_payouts() -> int:
    """Create the payouts that are due today by the schedule; return how many were created."""
    if not is_payout_day(clock.today()):
        return 0
    rows = LedgerAccount.objects.filter(code=Code.SELLER_PAYABLE, balance__lt=0).order_by("pk")
    done = 0
    seen = 0
    while keys := RUN.due(rows.filter(pk__gt=seen), 500):
        done += sum(RUN.each(keys, _pay_account))
        seen = max(keys)
    return done


def is_payout_day(day: date) -> bool:
    """Return whether the schedule pays out on a day of the place."""
    schedule, number = setting("marketplace.payout_schedule"), setting("marketplace.payout_day")
    if schedule == "weekly":
        return day.isoweekday() == min(number, 7)
    return schedule == "monthly" and day.day == number


def _pay_account(account_id: int) -> bool:
    """Create the payout of one balance; False where nothing is due or it is on hold."""
    account = LedgerAccount.objects.select_related("seller").get(pk=account_id)
    if account.seller is None:
        return False
    try:
        create_payout(actor=None, seller=account.seller, currency=account.currency)
    except (NothingToPay, PayoutHeld, PayoutOpen):
        return False
    return True
