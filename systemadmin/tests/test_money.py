"""Money arithmetic: exponents, rounding, notation and fair division."""

from fractions import Fraction

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation.money import (
    CURRENCIES,
    UnknownCurrency,
    allocate,
    exponent,
    format_money,
    half_up_div,
    is_currency,
)

amounts = st.integers(min_value=-(10**15), max_value=10**15)
weights = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("code", "digits"),
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("CLP", 0), ("KWD", 3), ("TND", 3), ("CLF", 4)],
)
def test_exponent(code, digits):
    assert exponent(code) == digits


@pytest.mark.parametrize("code", ["", "eur", "XXX", "EURO", "BTC"])
def test_unknown_currency_is_refused(code):
    assert not is_currency(code)
    with pytest.raises(UnknownCurrency):
        exponent(code)


def test_the_table_is_whole():
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
    assert set(CURRENCIES.values()) == {0, 2, 3, 4}
    assert len(CURRENCIES) > 150


@pytest.mark.parametrize(
    ("amount", "currency", "english", "spanish"),
    [
        (123456789, "EUR", "1,234,567.89 EUR", "1.234.567,89 EUR"),
        (-5, "EUR", "-0.05 EUR", "-0,05 EUR"),
        (0, "KWD", "0.000 KWD", "0,000 KWD"),
        (1500, "JPY", "1,500 JPY", "1.500 JPY"),
    ],
)
def test_format_money_follows_the_language(amount, currency, english, spanish):
    with translation.override("en"):
        assert format_money(amount, currency) == english
    with translation.override("es"):
        assert format_money(amount, currency) == spanish


@pytest.mark.parametrize(
    ("n", "d", "expected"),
    [(1, 2, 1), (-1, 2, -1), (1, -2, -1), (3, 2, 2), (5, 2, 3), (7, 3, 2), (8, 3, 3), (0, -5, 0)],
)
def test_half_up_div_examples(n, d, expected):
    assert half_up_div(n, d) == expected


@given(amounts, st.integers(min_value=-(10**6), max_value=10**6).filter(bool))
def test_half_up_div_is_nearest_and_symmetric(n, d):
    result = half_up_div(n, d)
    assert abs(Fraction(n, d) - result) <= Fraction(1, 2)
    assert half_up_div(-n, d) == -result
    if abs(Fraction(n, d) - result) == Fraction(1, 2):
        assert abs(result) > abs(Fraction(n, d))


@given(amounts, weights.filter(any))
def test_allocate_loses_nothing_and_is_fair(total, parts):
    shares = allocate(total, parts)
    assert sum(shares) == total
    assert all(abs(s - Fraction(total * w, sum(parts))) < 1 for s, w in zip(shares, parts))
    assert all(share == 0 for share, weight in zip(shares, parts) if weight == 0)
    assert allocate(-total, parts) == [-share for share in shares]


def test_allocate_gives_the_odd_cent_to_the_earliest_of_equals():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]


def test_allocate_edges():
    assert allocate(0, [0, 0]) == [0, 0]
    assert allocate(0, []) == []
    with pytest.raises(ValueError):
        allocate(1, [0, 0])
    with pytest.raises(ValueError):
        allocate(1, [2, -1])
