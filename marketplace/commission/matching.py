"""Whether a rule applies to a line of an order."""

from collections.abc import Mapping

from marketplace.commission.rules import Conditions, Party, Rule, Sale, VolumeSpec

NOBODY = Party()


def mismatch(
    rule: Rule,
    sale: Sale,
    party: Party = NOBODY,
    volumes: Mapping[VolumeSpec, int] | None = None,
) -> str | None:
    """Return the first reason why the rule does not apply to the line, or None when it does."""
    wanted = rule.conditions
    if not rule.is_active:
        return "inactive"
    if wanted.is_empty and not wanted.everything:
        return "no_conditions"
    volume = (volumes or {}).get(rule.volume, 0) if rule.volume else 0
    checks = (
        *_what(wanted, sale),
        *_who(wanted, party),
        *_bounds("value", wanted.value_from, wanted.value_below, sale.value),
        *_bounds("line", wanted.line_from, wanted.line_below, sale.captured),
        *_bounds("unit_price", wanted.unit_from, wanted.unit_below, sale.unit_price),
        *_bounds("volume", wanted.volume_from, wanted.volume_below, volume),
    )
    return next((code for code, holds in checks if not holds), None)


def _what(wanted: Conditions, sale: Sale) -> tuple[tuple[str, bool], ...]:
    return (
        ("too_early", wanted.valid_from is None or sale.at >= wanted.valid_from),
        ("expired", wanted.valid_to is None or sale.at < wanted.valid_to),
        ("currency", wanted.currency in (None, sale.currency)),
        ("kind", wanted.kinds is None or sale.kind in wanted.kinds),
        ("seller", wanted.sellers is None or sale.seller in wanted.sellers),
        ("product", wanted.products is None or sale.product in wanted.products),
        (
            "category",
            wanted.categories is None or not wanted.categories.isdisjoint(sale.category_path),
        ),
    )


def _who(wanted: Conditions, party: Party) -> tuple[tuple[str, bool], ...]:
    return (
        ("country", wanted.countries is None or party.country in wanted.countries),
        (
            "buyer_country",
            wanted.buyer_countries is None or party.buyer_country in wanted.buyer_countries,
        ),
        ("tax_status", wanted.tax_statuses is None or party.tax_status in wanted.tax_statuses),
        ("level", wanted.levels is None or party.level in wanted.levels),
    )


def _bounds(
    name: str, lower: int | None, upper: int | None, value: int
) -> tuple[tuple[str, bool], ...]:
    return (
        (f"{name}_too_low", lower is None or value >= lower),
        (f"{name}_too_high", upper is None or value < upper),
    )
