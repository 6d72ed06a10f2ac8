"""What a commission rule may say: everything the engine could not calculate is refused here."""

import re
from typing import Any

from django.utils.translation import gettext_lazy as _

from marketplace.models import CommissionFee, CommissionRule, SellerProfile
from marketplace.models.fields import MAX_AMOUNT, PPM, Kind
from systemadmin.foundation.errors import InvalidInput

COUNTRIES = ("countries", "buyer_countries")
SETS = ("kinds", *COUNTRIES, "tax_statuses", "levels")
MANY = ("categories", "sellers", "products")
MAX_TIERS = 20
COUNTRY = re.compile(r"[A-Z]{2}")
LEVEL = re.compile(r"[a-z0-9_-]{1,40}")
# What a payout has not: a rule per payout leaves these as they are.
OF_ORDERS: dict[str, Any] = {
    "kinds": [],
    "buyer_countries": [],
    "line_from": None,
    "line_below": None,
    "unit_from": None,
    "unit_below": None,
    "volume_between": CommissionRule.VolumeBetween.SELLER,
    "include_item": True,
    "include_shipping": True,
    "include_tax": True,
    "include_discount": False,
    "include_platform_discount": True,
    "include_buyer_fees": False,
}
OnRefund = CommissionRule.OnRefund
# How a fee that the buyer pays on top goes back: one of these ways, and as a whole.
ON_TOP_WAYS = (OnRefund.PROPORTIONAL, OnRefund.FULL, OnRefund.KEEP)
ON_TOP_WHOLE: dict[str, Any] = {
    "fixed_refundable": True,
    "refund_fee_ppm": 0,
    "refund_fee_maximum": None,
}
ON_TOP_GOES_BACK = _(
    "A fee that the buyer pays goes back in proportion, only with a full refund, or not at all."
)


def check_rule(rule: CommissionRule, values: dict[str, Any]) -> None:
    """Refuse what the engine could not calculate, naming the field.

    `values` holds what is about to be written, the sets of a rule that is not stored yet included.
    """
    _check_sets(rule)
    _check_tiers(rule)
    _check_volume(rule)
    if rule.fee.payer == CommissionFee.Payer.BUYER:
        _check_on_top(rule)
    if rule.per == CommissionRule.Per.PAYOUT:
        _check_payout_rule(rule, values)


def _check_payout_rule(rule: CommissionRule, values: dict[str, Any]) -> None:
    if rule.fee.payer == CommissionFee.Payer.BUYER:
        raise InvalidInput("per", _("Buyers pay no fees per payout."))
    for name, usual in OF_ORDERS.items():
        if getattr(rule, name) != usual:
            raise InvalidInput(name, _("A fee per payout is charged on the amount of the payout."))
    for name in ("categories", "products"):
        named = values[name] if name in values else rule.pk and getattr(rule, name).exists()
        if named:
            raise InvalidInput(name, _("A fee per payout is charged on the amount of the payout."))


def _check_sets(rule: CommissionRule) -> None:
    if not set(rule.kinds) <= set(Kind.values):
        raise InvalidInput("kinds", _("Kinds are “product” and “service”."))
    if not set(rule.tax_statuses) <= set(SellerProfile.TaxStatus.values):
        raise InvalidInput("tax_statuses", _("Tax statuses are “private” and “business”."))
    for field in COUNTRIES:
        if not _all_match(COUNTRY, getattr(rule, field)):
            raise InvalidInput(field, _("A country is two capital letters."))
    if not _all_match(LEVEL, rule.levels):
        raise InvalidInput("levels", _("Lower-case letters, digits, - and _."))
    for field in SETS:
        setattr(rule, field, sorted(set(getattr(rule, field))))


def _all_match(pattern: re.Pattern[str], values: list[Any]) -> bool:
    return all(isinstance(one, str) and pattern.fullmatch(one) for one in values)


def _check_on_top(rule: CommissionRule) -> None:
    if rule.on_refund not in ON_TOP_WAYS:
        raise InvalidInput("on_refund", ON_TOP_GOES_BACK)
    for name, usual in ON_TOP_WHOLE.items():
        if getattr(rule, name) != usual:
            raise InvalidInput(name, ON_TOP_GOES_BACK)


def _check_volume(rule: CommissionRule) -> None:
    counts_money = rule.volume_measure == CommissionRule.VolumeMeasure.AMOUNT
    has_volume = rule.volume_from is not None or rule.volume_below is not None
    by_volume = rule.tiers_by == CommissionRule.TiersBy.VOLUME
    if has_volume and counts_money and not rule.currency:
        raise InvalidInput("currency", _("A rule that names an amount must name its currency."))
    if by_volume and not counts_money and rule.tiers_mode == CommissionRule.TiersMode.MARGINAL:
        raise InvalidInput(
            "tiers_mode", _("Tiers by the number of orders charge the whole amount at one rate.")
        )


def _check_tiers(rule: CommissionRule) -> None:
    if not _are_tiers(rule.tiers):
        raise InvalidInput("tiers", _("Tiers are pairs of a lower bound and a rate."))
    if not rule.tiers:
        return
    bounds = [lower for lower, _ppm in rule.tiers]
    if bounds[0] != 0 or bounds != sorted(set(bounds)):
        raise InvalidInput("tiers", _("Tiers start at 0 and rise."))
    if not rule.currency:
        raise InvalidInput("currency", _("A rule that names an amount must name its currency."))
    if rule.ppm:
        raise InvalidInput("ppm", _("Give either a rate or tiers."))
    rule.tiers = [list(tier) for tier in rule.tiers]


def _are_tiers(value: Any) -> bool:
    """Return whether a value is a list of [lower bound, rate] in their ranges."""
    return isinstance(value, list) and len(value) <= MAX_TIERS and all(map(_is_tier, value))


def _is_tier(value: Any) -> bool:
    if not isinstance(value, list | tuple) or [type(part) for part in value] != [int, int]:
        return False
    lower, ppm = value
    return 0 <= lower <= MAX_AMOUNT and 0 <= ppm <= PPM
