"""What a payout would be if it were made now."""

from dataclasses import dataclass

from marketplace.models import LedgerAccount
from marketplace.services import ledger
from marketplace.services.holds import missing_holds
from marketplace.services.ledger import Code
from marketplace.services.payout_fees import PayoutQuote, quote_payout
from marketplace.services.payouts import hold_reasons, minimum_payout, payable_entries
from systemadmin.models import User


@dataclass(frozen=True, slots=True)
class PayoutPreview:
    """A payout that is not made: what is taken off before it, its fees, what is against it.

    `debt` and `held` are taken from the balance first. `reasons` are codes: those of a hold, and
    `too_little` below the minimum or where nothing is left after the fees.
    """

    seller: User
    currency: str
    debt: int
    held: int
    minimum: int
    quote: PayoutQuote
    reasons: list[str]


def preview_payout(*, seller: User, currency: str) -> PayoutPreview:
    """Return what `create_payout` would claim, charge and pay now; nothing is written."""
    accounts = LedgerAccount.objects.filter(seller=seller, currency=currency)
    balances = dict.fromkeys(LedgerAccount.SELLER_CODES, 0)
    balances |= dict(accounts.values_list("code", "balance"))
    available = ledger.available(balances)
    debt = min(max(0, balances[Code.CLAWBACK]), available)
    held = min(missing_holds(seller.pk, currency), available - debt)
    claimed = -sum(value for _pk, value in payable_entries(seller, currency))
    quote = quote_payout(
        seller_id=seller.pk, currency=currency, gross=max(0, claimed - debt - held)
    )
    minimum = minimum_payout(currency)
    reasons = hold_reasons(seller)
    if quote.gross < minimum or quote.amount < 1:
        reasons.append("too_little")
    return PayoutPreview(seller, currency, debt, held, minimum, quote, reasons)
