"""Fees that are charged once per payout: what a payout would cost, keeping it, giving it back."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.db.models import F

from marketplace import commission
from marketplace.models import Payout, PayoutCharge
from marketplace.refunds import ChargedGroup, Kept, group_reversed, rule_of, terms_of
from marketplace.services import clock, ledger
from marketplace.services.ledger import Code, Leg
from marketplace.services.quotes import volumes_of
from marketplace.services.schedule import engine_fees, party_of

KIND = "payout_fee"


@dataclass(frozen=True, slots=True)
class PayoutQuote:
    """What a payout takes from the balance, what its fees are, and what the seller receives."""

    gross: int
    charged: commission.Commission

    @property
    def fee(self) -> int:
        """All fees together, without their taxes."""
        return self.charged.amount

    @property
    def fee_tax(self) -> int:
        """The taxes on the fees."""
        return self.charged.tax

    @property
    def amount(self) -> int:
        """Return what the seller receives: the gross amount without fee and its tax."""
        return self.gross - self.fee - self.fee_tax


def quote_payout(*, seller_id: int, currency: str, gross: int) -> PayoutQuote:
    """Return what a payout of an amount is charged now; payouts are made of it."""
    fees = commission.rules_for(engine_fees(), payouts=True)
    at = clock.now()
    charged = commission.charge_payout(
        fees,
        amount=gross,
        currency=currency,
        at=at,
        seller=seller_id,
        party=party_of(seller_id, fees),
        volumes=volumes_of(fees, seller_id, None, currency, at),
    )
    return PayoutQuote(gross, charged)


@transaction.atomic
def keep_fees(payout: Payout, quote: PayoutQuote, actor: Any) -> Any:
    """Keep and book the fees of a new payout; return the transaction, None without a fee."""
    PayoutCharge.objects.bulk_create(
        PayoutCharge(
            payout=payout,
            fee_id=one.fee.id,
            fee_name=one.fee.name,
            rule_id=one.rule.id,
            rule_version=one.rule.version,
            base=one.base.amount,
            amount=one.amount,
            tax=one.tax,
            refundable=one.refundable,
            terms=terms_of(one.rule),
        )
        for one in quote.charged.charges
    )
    return _post(payout, "fee", -quote.fee, -quote.fee_tax, actor)


@transaction.atomic
def give_fees_back(payout: Payout, actor: Any) -> None:
    """Give the fees of a payout that did not reach the seller back, as their rules say.

    Debts that the seller has by now are paid from them first.
    """
    amount = tax = 0
    for charge in payout.charges.select_for_update().order_by("pk"):
        back, back_tax = _goes_back(charge)
        PayoutCharge.objects.filter(pk=charge.pk).update(
            reversed_amount=F("reversed_amount") + back, reversed_tax=F("reversed_tax") + back_tax
        )
        amount, tax = amount + back, tax + back_tax
    _post(payout, "fee_returned", amount, tax, actor)


def returnable(payout: Payout) -> int:
    """Return what of a payout's fees, with their taxes, goes back when it does not arrive."""
    if not payout.fee:
        return 0
    return sum(sum(_goes_back(charge)) for charge in payout.charges.all())


def _goes_back(charge: PayoutCharge) -> tuple[int, int]:
    group = ChargedGroup(charge.base, charge.amount, charge.refundable, charge.tax)
    return group_reversed(group, rule_of(charge.terms), Kept(Fraction(0)))


def _post(payout: Payout, what: str, amount: int, tax: int, actor: Any) -> Any:
    """Book fees: negative where they are charged, positive where they go back."""
    balances = ledger.lock_seller(payout.seller_id, payout.currency)
    seller = (
        ledger.credit_seller(payout.seller_id, balances, amount + tax)
        if amount + tax > 0
        else [Leg(Code.SELLER_PAYABLE, -amount - tax, payout.seller_id)]
    )
    return ledger.post(
        key=f"payout:{payout.pk}:{what}",
        kind=KIND,
        currency=payout.currency,
        legs=[*seller, Leg(Code.REVENUE, amount), Leg(Code.TAX, tax)],
        actor=actor,
        payout=payout,
        is_demo=payout.seller.is_demo,
    )
