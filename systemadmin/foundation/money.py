"""Integer money: ISO 4217 exponents, rounding and fair division, without a database."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django.utils import formats


class UnknownCurrency(ValueError):
    """The code is not in ISO 4217's list of active currencies."""


_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN "
        "BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP "
        "GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT "
        "LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN "
        "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE "
        "SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES "
        "WST XCD XCG YER ZAR ZMW ZWG"
    ),
}

CURRENCIES: Final[dict[str, int]] = {
    code: digits for digits, codes in _BY_EXPONENT.items() for code in codes.split()
}


def exponent(currency: str) -> int:
    """Return how many decimal digits the currency's minor unit stands for."""
    try:
        return CURRENCIES[currency]
    except KeyError:
        raise UnknownCurrency(currency) from None


def is_currency(code: str) -> bool:
    """Return whether the code is an active ISO 4217 currency, in capitals."""
    return code in CURRENCIES


def format_money(amount: int, currency: str) -> str:
    """Return the amount in the active language's notation, followed by the currency code."""
    digits = exponent(currency)
    number = formats.number_format(
        Decimal(amount).scaleb(-digits), decimal_pos=digits, use_l10n=True, force_grouping=True
    )
    return f"{number} {currency}"


class TooFine(ValueError):
    """An amount has more decimals than its currency."""


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount in major units, as people write it, in minor units.

    Raises `TooFine` where the currency has no such small unit, and `UnknownCurrency`.
    """
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise TooFine(f"{amount} {currency}")
    return int(scaled)


def to_major(amount: int, currency: str) -> Decimal:
    """Return an amount in minor units in major units, with all decimals of the currency."""
    return Decimal(amount).scaleb(-exponent(currency))


def half_up_div(n: int, d: int) -> int:
    """Return the integer nearest to n / d, halves going away from zero."""
    magnitude = (2 * abs(n) + abs(d)) // (2 * abs(d))
    return magnitude if (n >= 0) == (d > 0) else -magnitude


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Shares of total in proportion to weights that sum to total exactly (largest remainder).

    Ties go to the earlier weight, so the same input always gives the same shares.
    """
    whole = sum(weights)
    if any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative")
    if whole == 0:
        if total:
            raise ValueError("an amount cannot be shared among weights that are all zero")
        return [0] * len(weights)
    sign = -1 if total < 0 else 1
    shares = [abs(total) * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda index: (-(abs(total) * weights[index] % whole), index)
    )
    for index in by_remainder[: abs(total) - sum(shares)]:
        shares[index] += 1
    return [sign * share for share in shares]
