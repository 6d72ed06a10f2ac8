"""The stored schedule of fees as the engine reads it, and what its rules look at of a seller."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from marketplace import commission
from marketplace.models import CommissionRule, FeeTaxRate, SellerProfile
from marketplace.services.rule_checks import MANY, SETS
from systemadmin.models import User

# What the engine calls by the same name: all but what is translated below.
SAME = tuple(
    field.name
    for field in fields(commission.Rule)
    if field.name not in ("id", "name", "version", "conditions", "tiers", "volume")
)
# Conditions that the engine calls by the same name.
BOUNDS = tuple(
    field.name
    for field in fields(commission.Conditions)
    if field.name not in (*MANY, *SETS, "currency", "everything")
)


def engine_fees() -> list[commission.Fee]:
    """Return the schedule as the engine charges it: active fees with their active rules."""
    stored = (
        CommissionRule.objects.in_order()
        .filter(is_active=True, fee__is_active=True)
        .select_related("fee")
    )
    return fees_of(list(stored))


def fees_of(rules: Iterable[CommissionRule], *, all_active: bool = False) -> list[commission.Fee]:
    """Group stored rules, in order, into the engine's fees.

    `all_active` switches every rule on, as a what-if of chosen rules needs it.
    """
    grouped: dict[int, list[CommissionRule]] = {}
    for rule in rules:
        grouped.setdefault(rule.fee_id, []).append(rule)
    ordered = sorted(grouped.values(), key=lambda own: (own[0].fee.position, own[0].fee_id))
    fees = []
    for own in ordered:
        translated = [engine_rule(rule) for rule in own]
        if all_active:
            translated = [replace(rule, is_active=True) for rule in translated]
        fee = own[0].fee
        fees.append(
            commission.Fee(tuple(translated), fee.pk, fee.code, fee.name, fee.combine, fee.payer)
        )
    return fees


def engine_rule(
    rule: CommissionRule, sets: dict[str, frozenset[int]] | None = None
) -> commission.Rule:
    """Translate a rule for the engine; `sets` stands in for what is not stored yet."""
    if sets is None:
        sets = {field: frozenset(one.pk for one in getattr(rule, field).all()) for field in MANY}
    return commission.Rule(
        id=rule.pk or 0,
        name=rule.name,
        version=rule.version,
        conditions=_conditions(rule, sets),
        tiers=tuple(commission.Tier(lower, ppm) for lower, ppm in rule.tiers),
        volume=_volume_spec(rule),
        **{field: getattr(rule, field) for field in SAME},
    )


def _conditions(rule: CommissionRule, sets: dict[str, frozenset[int]]) -> commission.Conditions:
    values: dict[str, Any] = {field: getattr(rule, field) for field in BOUNDS}
    values |= {field: frozenset(getattr(rule, field)) or None for field in SETS}
    return commission.Conditions(
        categories=sets["categories"] or None,
        sellers=sets["sellers"] or None,
        products=sets["products"] or None,
        currency=rule.currency or None,
        everything=rule.applies_to_all,
        **values,
    )


def _volume_spec(rule: CommissionRule) -> commission.VolumeSpec | None:
    if not rule.volume_window:
        return None
    return commission.VolumeSpec(rule.volume_window, rule.volume_between, rule.volume_measure)


def party_of(seller_id: int | None, fees: Sequence[commission.Fee] | None) -> commission.Party:
    """Return what rules may look at of a seller; nothing is read when no rule of the fees does."""
    if seller_id is None or not _is_looked_at(fees):
        return commission.Party()
    country = User.objects.filter(pk=seller_id).values_list("country", flat=True).first() or ""
    profile = SellerProfile.objects.filter(user_id=seller_id).first()
    tax_status = profile.tax_status if profile else ""
    rate = tax_rate_for(country, tax_status)
    return commission.Party(
        country=country,
        tax_status=tax_status,
        level=profile.level if profile else "",
        tax_ppm=rate.ppm if rate else None,
        is_reverse_charge=bool(rate and rate.is_reverse_charge),
    )


def tax_rate_for(country: str, tax_status: str) -> FeeTaxRate | None:
    """Return the row of the taxes on fees that says the most about such a seller."""
    rows = FeeTaxRate.objects.filter(country__in={"", country}, tax_status__in={"", tax_status})
    return max(rows, key=lambda row: (bool(row.country), bool(row.tax_status)), default=None)


def _is_looked_at(fees: Sequence[commission.Fee] | None) -> bool:
    return fees is None or any(_looks_at_seller(rule) for fee in fees for rule in fee.rules)


def _looks_at_seller(rule: commission.Rule) -> bool:
    wanted = rule.conditions
    looked_at = (wanted.countries, wanted.tax_statuses, wanted.levels)
    return rule.tax_by_seller or any(part is not None for part in looked_at)
