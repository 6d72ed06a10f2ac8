"""Published fee examples, each with its source, calculated by the engine in minor units."""

from datetime import UTC, datetime

import pytest

from marketplace.commission import (
    PER_LINE,
    Conditions,
    Rule,
    Sale,
    Tier,
    decimal_text,
    percent,
    quote,
)
from marketplace.refunds import Charged, administration_fee, next_reversal, reversed_in_all
from systemadmin.foundation.money import allocate, half_up_div

ALL = Conditions(everything=True)
AT = datetime(2026, 1, 15, tzinfo=UTC)


def fee(item, *, currency="USD", sale=None, **rule):
    return quote(
        [Rule(1, conditions=ALL, **rule)], Sale(currency, item=item, at=AT, **(sale or {}))
    )


ETSY = "wise.com/us/blog/how-much-does-etsy-take-per-sale"
EBAY = "sellers.ebaymag.com examples; eBay seller centre 2024 winter update"
OLD_EBAY = "china2uk.com, eBay's former marginal tiers"
AMAZON = "sellercentral.amazon.com 200387220; feedvisor on Amazon's tiers"
SPREE = "Spree commission specification"
MERCUR = "Mercur commission integration tests"

EBAY_TIERS = (Tier(0, 87_500), Tier(25_00, 35_000), Tier(1000_00, 15_000))

EXAMPLES = [
    (
        "E1",
        ETSY,
        "6.5 % of 50 + 10 shipping",
        50_00,
        {"sale": {"shipping": 10_00}, "ppm": 65_000},
        3_90,
    ),
    ("E2", ETSY, "3 % + 0.25 on 50", 50_00, {"ppm": 30_000, "fixed": 25}, 1_75),
    ("E3a", ETSY, "listing fee 0.20 flat", 50_00, {"fixed": 20}, 20),
    ("E3b", ETSY, "offsite ads 15 % on 50", 50_00, {"ppm": 150_000}, 7_50),
    ("E4a", EBAY, "13.25 % + 0.30 on 25", 25_00, {"ppm": 132_500, "fixed": 30}, 3_61),
    ("E4b", EBAY, "13.25 % + 0.40 on 25", 25_00, {"ppm": 132_500, "fixed": 40}, 3_71),
    (
        "E5",
        EBAY,
        "10 % of 7,830 capped at 750",
        7830_00,
        {"ppm": 100_000, "maximum": 750_00},
        750_00,
    ),
    ("E6", EBAY, "10 % of 400", 400_00, {"ppm": 100_000, "maximum": 750_00}, 40_00),
    ("E7", OLD_EBAY, "tiers on 47.53", 47_53, {"tiers": EBAY_TIERS}, 2_98),
    (
        "E8",
        AMAZON,
        "jewellery on 400",
        400_00,
        {"tiers": (Tier(0, 200_000), Tier(250_00, 50_000))},
        57_50,
    ),
    (
        "E9",
        AMAZON,
        "15 % of 300 + 40 + 5",
        300_00,
        {"sale": {"shipping": 45_00}, "ppm": 150_000},
        51_75,
    ),
    (
        "E10",
        AMAZON,
        "15 % of 50 + 5 + 2",
        50_00,
        {"sale": {"shipping": 7_00}, "ppm": 150_000},
        8_55,
    ),
    ("E18a", SPREE, "fixed 2.50 × 3", 30_00, {"sale": {"quantity": 3}, "fixed": 2_50}, 7_50),
    (
        "E18b",
        SPREE,
        "fixed 2.50 × 10 capped at 12",
        100_00,
        {"sale": {"quantity": 10}, "fixed": 2_50, "maximum": 12_00},
        12_00,
    ),
    (
        "E18c",
        SPREE,
        "10 % of 100 net of 20 VAT",
        100_00,
        {"sale": {"tax_included": 20_00}, "ppm": 100_000, "include_tax": False},
        8_00,
    ),
    (
        "E18d",
        SPREE,
        "10 % of 100 less 40 discount",
        100_00,
        {"sale": {"discount": 40_00}, "ppm": 100_000},
        6_00,
    ),
    (
        "E19",
        MERCUR,
        "10 % of 100 + 50 shipping",
        100_00,
        {"sale": {"shipping": 50_00}, "ppm": 100_000},
        15_00,
    ),
    ("JPY", SPREE, "3.33 % of 1000 yen", 1000, {"currency": "JPY", "ppm": 33_300}, 33),
    (
        "KWD",
        "three decimals kept, which decimal(10,2) columns lose",
        "2.5 % of 1.234",
        1_234,
        {"currency": "KWD", "ppm": 25_000},
        31,
    ),
    ("CLF", "four decimals", "3.33 % of 1.0000", 1_0000, {"currency": "CLF", "ppm": 33_300}, 333),
    ("min", AMAZON, "minimum 0.30", 1_00, {"ppm": 150_000, "minimum": 30}, 30),
]


@pytest.mark.parametrize(
    ("item", "rule", "expected"),
    [pytest.param(e[3], e[4], e[5], id=f"{e[0]}: {e[2]}") for e in EXAMPLES],
)
def test_published_example(item, rule, expected):
    assert fee(item, **rule).amount == expected


def test_tiers_show_their_rounded_parts():
    """E7: 2.19 + 0.79 = 2.98."""
    result = fee(47_53, tiers=EBAY_TIERS)
    parts = [step for step in result.trace if step["step"] == "tier"]
    assert [part["rounded"] for part in parts] == [2_19, 79]
    assert [part["exact"] for part in parts] == ["218.75", "78.855"]


def test_refund_administration_fee():
    """E9, E10: min(20 % of the referral fee, 5.00) on orders of 345 and 57 at 15 %."""
    first = administration_fee(51_75, 200_000, 5_00)
    second = administration_fee(8_55, 200_000, 5_00)
    assert (first, second, first + second) == (5_00, 1_71, 6_71)


def test_refund_administration_fee_in_other_countries():
    """E11 (AE, cap 15) and E12 (BR, cap 10)."""
    assert administration_fee(fee(640_00, ppm=150_000).amount, 200_000, 15_00) == 15_00
    assert administration_fee(fee(55_00, ppm=150_000).amount, 200_000, 15_00) == 1_65
    assert administration_fee(fee(345_00, ppm=150_000).amount, 200_000, 10_00) == 10_00


def test_square_application_fee_refund():
    """E13 (developer.squareup.com): 20.00, app fee 2.00, processor 0.88; refund 15.00."""
    application = fee(20_00, fixed=2_00)
    processor = half_up_div(20_00 * 29_000, 1_000_000) + 30
    assert (application.amount, processor) == (2_00, 88)
    assert application.seller_net - processor == 17_12
    charged = Charged(20_00, 2_00, 2_00, 0)
    reversal = reversed_in_all(charged, 15_00)
    assert (reversal.commission, reversal.seller) == (1_50, 13_50)


def test_paymongo_split_refund():
    """E14 (developers.paymongo.com): the fee is not returned, both sides give half of 100."""
    assert allocate(100_00, [48_75, 48_75]) == [50_00, 50_00]


def test_fixed_part_is_not_credited():
    """E15 (ebay.ie 4128, ebayseaforbusiness.com): 20 % refunded, 20 % of the variable fee back."""
    result = fee(100_00, ppm=100_000, fixed=30, fixed_refundable=False)
    assert (result.amount, result.refundable) == (10_30, 10_00)
    charged = Charged(100_00, result.amount, result.refundable, 0)
    assert reversed_in_all(charged, 20_00).commission == 2_00
    assert reversed_in_all(charged, 100_00).commission == 10_00


def test_refund_is_exact_and_not_first_rounded_to_a_whole_percent():
    """E16 (experts123.com): the old Amazon UK page rounds 6.00 / 32.75 to 18 % and gives 0.81."""
    assert reversed_in_all(Charged(32_75, 4_50, 4_50, 0), 6_00).commission == 82
    assert half_up_div(4_50 * 18, 100) == 81


def test_tax_on_the_fee():
    """E17 (Spree): 100 at 3.33 % with 21 % VAT on the fee is 3.33 + 0.70."""
    result = fee(100_00, ppm=33_300, tax_ppm=210_000)
    assert (result.amount, result.tax, result.amount + result.tax) == (3_33, 70, 4_03)
    assert result.seller_net == 95_97


def test_stripe_fee_rules():
    """E20 (docs.stripe.com): a fee is at most the charge, never refunded beyond what is left."""
    assert fee(2_00, minimum=5_00).amount == 2_00
    charged = Charged(10_00, 1_00, 1_00, 0)
    half = reversed_in_all(charged, 5_00)
    assert half.commission == 50
    assert next_reversal(charged, half, 5_00).commission == 50
    with pytest.raises(ValueError):
        next_reversal(charged, half, 5_01)


def test_tax_never_makes_the_seller_pay_to_sell():
    result = fee(2_00, minimum=5_00, tax_ppm=210_000)
    assert result.seller_net >= 0
    assert result.amount + result.tax <= 2_00
    assert result.trace[-2]["step"] == "net_cap"


def test_fixed_per_line():
    assert fee(30_00, sale={"quantity": 3}, fixed=2_50, fixed_per=PER_LINE).amount == 2_50


@pytest.mark.parametrize(
    ("ppm", "text"), [(33_300, "3.33 %"), (65_000, "6.5 %"), (1, "0.0001 %"), (1_000_000, "100 %")]
)
def test_rates_are_written_exactly(ppm, text):
    assert percent(ppm) == text


def test_exact_values_are_written_exactly():
    assert decimal_text(218_750_000) == "218.75"
    assert decimal_text(3_000_000) == "3"
