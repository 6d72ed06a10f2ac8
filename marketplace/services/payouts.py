"""Payouts: claim what a seller may have, once; pay it, or fail and try the same one again."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import NothingToPay, PayoutHeld, PayoutOpen, SellerOwes
from marketplace.models import LedgerEntry, Payout, PayoutItem
from marketplace.services import by_two, clock, concerned, ledger
from marketplace.services.announcements import announce_payout
from marketplace.services.holds import extend_holds
from marketplace.services.ledger import Code, Leg
from marketplace.services.transitions import move
from marketplace.transitions import PAYOUT
from riskops.querysets import is_confirmed_fraud
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides


@decides(
    "marketplace.create_payout", permission="marketplace.add_payout", concerns=concerned.paid_seller
)
@by_two.create_payout
@transaction.atomic
def create_payout(*, actor: User, seller: User, currency: str) -> Payout:
    """Claim every entry payable to the seller that no payout has claimed."""
    check_payable(seller)
    ledger.lock_seller(seller.pk, currency)
    extend_holds(seller.pk, currency, actor)
    if Payout.objects.filter(
        seller=seller, currency=currency, status__in=["pending", "failed"]
    ).exists():
        raise PayoutOpen
    unclaimed = LedgerEntry.objects.unclaimed(seller.pk, currency)
    entries = list(unclaimed.order_by("pk").values_list("pk", "amount"))
    amount = -sum(value for _pk, value in entries)
    minimum = setting("marketplace.minimum_payout")
    if amount < minimum:
        raise NothingToPay(extra={"available": max(0, amount), "minimum": minimum})
    payout = Payout(seller=seller, currency=currency, amount=amount, created_by=actor)
    payout.full_clean()
    payout.save()
    posted = ledger.post(
        key=f"payout:{payout.pk}:created",
        kind="payout",
        currency=currency,
        legs=[Leg(Code.SELLER_PAYABLE, amount, seller.pk), Leg(Code.IN_TRANSIT, -amount)],
        actor=actor,
        payout=payout,
        is_demo=seller.is_demo,
    )
    # Its own debit is claimed too, so that the claims of a payout add up to zero.
    own = LedgerEntry.objects.get(transaction=posted, account__code=Code.SELLER_PAYABLE)
    claimed = [pk for pk, _value in entries] + [own.pk]
    PayoutItem.objects.bulk_create(
        [PayoutItem(payout=payout, entry_id=pk) for pk in claimed], batch_size=1000
    )
    _note(actor, payout, "created", "")
    return payout


@decides(
    "marketplace.pay_payout",
    permission="marketplace.change_payout",
    concerns=concerned.seller_of_payout,
)
@by_two.pay_payout
@transaction.atomic
def pay_payout(
    *, actor: User, payout: Payout, reference: str = "", expected_version: int | None = None
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
@by_two.return_payout
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
    """Raise `PayoutHeld` for a suspended seller and for one whose last outcome is fraud."""
    if seller.is_suspended or is_confirmed_fraud(seller.pk):
        raise PayoutHeld


def _step(actor: User, payout: Payout, what: str, before: str, reason: str = "") -> Payout:
    payout.bump()
    payout.full_clean()
    payout.save()
    _note(actor, payout, what, before, reason)
    return payout


def _note(actor: User, payout: Payout, what: str, before: str, reason: str = "") -> None:
    audit.record(
        f"marketplace.payout.{what}",
        actor=actor,
        target=payout,
        before={"status": before},
        after={"status": payout.status, "amount": payout.amount},
        reason=reason,
    )
    announce_payout(payout, what)
