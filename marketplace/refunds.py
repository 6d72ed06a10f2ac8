"""How much of a commission goes back with a refund: a function of what was refunded in all.

Every partial refund reverses the cumulative amount minus what was already reversed. Any order and
any split of refunds that add up to the same sum therefore reverse exactly the same amount, and a
full refund reverses exactly the refundable commission.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from systemadmin.foundation.money import half_up_div

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Charged:
    """What was charged on one order line, frozen when it was paid."""

    captured: int
    commission: int
    refundable: int
    tax: int
    refund_fee_ppm: int = 0
    refund_fee_maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """What platform, tax authority and seller each give back; the three add up to the refund."""

    refunded: int
    commission: int
    tax: int

    @property
    def seller(self) -> int:
        """The seller's share of the refund."""
        return self.refunded - self.commission - self.tax


def administration_fee(reversed_fee: int, ppm: int, maximum: int | None = None) -> int:
    """Return what the platform keeps of a reversed commission for handling the refund."""
    fee = half_up_div(reversed_fee * ppm, PPM)
    return fee if maximum is None else min(fee, maximum)


def reversed_in_all(charged: Charged, refunded: int) -> Reversal:
    """Return what has been given back once `refunded` in all has been refunded."""
    if not 0 <= refunded <= charged.captured:
        raise ValueError("a refund lies between nothing and what was captured")
    if refunded == 0:
        return Reversal(0, 0, 0)
    gross = half_up_div(charged.refundable * refunded, charged.captured)
    kept = administration_fee(gross, charged.refund_fee_ppm, charged.refund_fee_maximum)
    commission = gross - kept
    if charged.commission:
        tax = half_up_div(charged.tax * commission, charged.commission)
    else:
        tax = 0
    return Reversal(refunded, commission, tax)


def next_reversal(charged: Charged, already: Reversal, amount: int) -> Reversal:
    """Return what one more refund reverses, given everything reversed so far."""
    total = reversed_in_all(charged, already.refunded + amount)
    return Reversal(amount, total.commission - already.commission, total.tax - already.tax)


def spread(amount: int, remaining: Sequence[int]) -> list[int]:
    """Spread a refund over order lines in proportion to what each can still give back."""
    whole = sum(remaining)
    if not 0 <= amount <= whole:
        raise ValueError("a refund cannot exceed what remains")
    shares = [amount * part // whole if whole else 0 for part in remaining]
    # Largest remainder, but never past what the line can still give.
    by_need = sorted(
        range(len(remaining)),
        key=lambda place: (-(amount * remaining[place] % whole) if whole else 0, place),
    )
    missing = amount - sum(shares)
    for place in by_need:
        if missing and shares[place] < remaining[place]:
            shares[place] += 1
            missing -= 1
    return shares
