"""Writes of commission rules; reading them as the engine's rules; quotes and what-ifs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace import commission
from marketplace.commission_lint import Finding, ProductFacts, unreachable
from marketplace.errors import RuleInUse
from marketplace.models import (
    Category,
    CommissionLine,
    CommissionRule,
    CommissionRuleVersion,
    Order,
    OrderLine,
    Product,
)
from marketplace.models.fields import MAX_AMOUNT, PPM, Kind
from marketplace.services import clock
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput

SIMPLE = (
    "name",
    "is_active",
    "applies_to_all",
    "kinds",
    "currency",
    "value_from",
    "value_below",
    "valid_from",
    "valid_to",
    "ppm",
    "tiers",
    "fixed",
    "fixed_per",
    "minimum",
    "maximum",
    "tax_ppm",
    "include_shipping",
    "include_tax",
    "fixed_refundable",
    "refund_fee_ppm",
    "refund_fee_maximum",
)
# What the engine calls by the same name.
SAME = (
    "ppm",
    "fixed",
    "fixed_per",
    "minimum",
    "maximum",
    "tax_ppm",
    "include_shipping",
    "include_tax",
    "fixed_refundable",
    "refund_fee_ppm",
    "refund_fee_maximum",
    "is_active",
)
MANY = ("categories", "sellers", "products")
MAX_TIERS = 20
PREVIEW_ORDERS = 20_000


@transaction.atomic
def create_rule(*, actor: Any, position: int | None = None, **values: Any) -> CommissionRule:
    """Add a rule, at the end of the list unless a position is given."""
    _lock_list()
    rule = CommissionRule()
    rule.position = CommissionRule.objects.count() + 1
    _assign(rule, values)
    _keep_version(actor, rule)
    if position is not None:
        _place(rule, position)
    audit.record(
        "marketplace.commission_rule.created", actor=actor, target=rule, after=content(rule)
    )
    return rule


@transaction.atomic
def update_rule(
    *,
    actor: Any,
    rule: CommissionRule,
    expected_version: int | None = None,
    position: int | None = None,
    **values: Any,
) -> CommissionRule:
    """Change a rule; sales already made keep what they were charged."""
    _lock_list()
    rule = lock_row(CommissionRule.objects.all(), pk=rule.pk, expected_version=expected_version)
    before = content(rule)
    rule.bump()
    _assign(rule, values)
    if position is not None:
        _place(rule, position)
    _keep_version(actor, rule)
    audit.record(
        "marketplace.commission_rule.updated",
        actor=actor,
        target=rule,
        before=before,
        after=content(rule),
    )
    return rule


@transaction.atomic
def delete_rule(*, actor: Any, rule: CommissionRule, expected_version: int | None = None) -> None:
    """Delete a rule that never charged a sale."""
    _lock_list()
    rule = lock_row(CommissionRule.objects.all(), pk=rule.pk, expected_version=expected_version)
    if CommissionLine.objects.filter(rule=rule).exists():
        raise RuleInUse
    audit.record(
        "marketplace.commission_rule.deleted", actor=actor, target=rule, before=content(rule)
    )
    rule.delete()
    _renumber(CommissionRule.objects.order_by("position", "id"))


@transaction.atomic
def reorder_rules(*, actor: Any, ids: Sequence[int]) -> list[CommissionRule]:
    """Put the whole list into the given order."""
    _lock_list()
    rules = {rule.pk: rule for rule in CommissionRule.objects.all()}
    before = sorted(rules, key=lambda pk: (rules[pk].position, pk))
    if sorted(ids) != sorted(rules):
        raise InvalidInput("order", _("Name every rule exactly once."))
    ordered = [rules[pk] for pk in ids]
    _renumber(ordered)
    audit.record(
        "marketplace.commission_rules.reordered",
        actor=actor,
        before={"order": before},
        after={"order": list(ids)},
    )
    return ordered


def content(rule: CommissionRule) -> dict[str, Any]:
    """Return everything a rule says, as plain JSON values."""
    values: dict[str, Any] = {"position": rule.position}
    for field in SIMPLE:
        value = getattr(rule, field)
        values[field] = value.isoformat() if isinstance(value, datetime) else value
    for field in MANY:
        values[field] = sorted(one.pk for one in getattr(rule, field).all())
    return values


def engine_rule(
    rule: CommissionRule, sets: dict[str, frozenset[int]] | None = None
) -> commission.Rule:
    """Translate a rule for the engine; `sets` stands in for what is not stored yet."""
    if sets is None:
        sets = {field: frozenset(one.pk for one in getattr(rule, field).all()) for field in MANY}
    conditions = commission.Conditions(
        categories=sets["categories"] or None,
        sellers=sets["sellers"] or None,
        products=sets["products"] or None,
        kinds=frozenset(rule.kinds) or None,
        currency=rule.currency or None,
        value_from=rule.value_from,
        value_below=rule.value_below,
        valid_from=rule.valid_from,
        valid_to=rule.valid_to,
        everything=rule.applies_to_all,
    )
    return commission.Rule(
        id=rule.pk or 0,
        name=rule.name,
        version=rule.version,
        conditions=conditions,
        tiers=tuple(commission.Tier(lower, ppm) for lower, ppm in rule.tiers),
        **{field: getattr(rule, field) for field in SAME},
    )


def engine_rules() -> list[commission.Rule]:
    """Return the list as the engine tries it."""
    active = CommissionRule.objects.in_order().filter(is_active=True)
    return [engine_rule(rule) for rule in active]


def quote_sale(
    *,
    currency: str,
    item: int,
    quantity: int = 1,
    product: Product | None = None,
    category: Category | None = None,
    seller_id: int | None = None,
    kind: str | None = None,
    at: datetime | None = None,
    shipping: int = 0,
    discount: int = 0,
    tax_included: int = 0,
    order_value: int | None = None,
    rules: Iterable[commission.Rule] | None = None,
) -> commission.Commission:
    """Return what a sale would be charged and why; `item` is unit price × quantity."""
    if product is not None:
        category = category or product.category
        seller_id = seller_id if seller_id is not None else product.seller_id
        kind = kind or product.kind
    sale = commission.Sale(
        currency=currency,
        item=item,
        at=at or clock.now(),
        quantity=quantity,
        shipping=shipping,
        discount=discount,
        tax_included=tax_included,
        category_path=category.path_ids if category else (),
        seller=seller_id,
        product=product.pk if product else None,
        kind=kind,
        order_value=order_value,
    )
    return commission.quote(engine_rules() if rules is None else rules, sale)


def lint_rules(rules: Sequence[commission.Rule] | None = None) -> list[Finding]:
    """Report the rules that no sale can ever reach."""
    rules = engine_rules() if rules is None else rules
    named = {pk for rule in rules for pk in rule.conditions.products or ()}
    products = Product.objects.filter(pk__in=named).select_related("category")
    facts = {
        product.pk: ProductFacts(
            product.category.path_ids, product.seller_id, product.kind, product.currency
        )
        for product in products
    }
    return unreachable(
        rules,
        now=clock.now(),
        descendants=Category.objects.descendants_by_id(),
        products=facts,
    )


def preview_rules(
    rules: Sequence[commission.Rule], *, start: datetime, end: datetime
) -> dict[str, Any]:
    """Say what past orders would have been charged under other rules; nothing is written."""
    lines = (
        OrderLine.objects.filter(order__paid_at__gte=start, order__paid_at__lt=end)
        .select_related("order", "category", "commission")
        .order_by("-order__paid_at", "-id")[:PREVIEW_ORDERS]
    )
    totals: dict[str, dict[str, int]] = {}
    per_rule: dict[int | None, int] = {}
    changed = []
    for line in lines.iterator(chunk_size=1000):
        charged = line.commission.amount
        proposed = _again(rules, line)
        sums = totals.setdefault(
            line.order.currency, {"lines": 0, "changed": 0, "before": 0, "after": 0}
        )
        sums["lines"] += 1
        sums["before"] += charged
        sums["after"] += proposed.amount
        sums["changed"] += charged != proposed.amount
        taken = proposed.rule.id if proposed.rule else None
        per_rule[taken] = per_rule.get(taken, 0) + 1
        changed.append((abs(proposed.amount - charged), line, charged, proposed.amount))
    changed = sorted((c for c in changed if c[0]), key=lambda c: -c[0])[:20]
    return {
        "currencies": [{"currency": code, **sums} for code, sums in sorted(totals.items())],
        "rules": [{"rule": rule, "lines": count} for rule, count in per_rule.items()],
        "largest_changes": [
            {"order": line.order_id, "line": line.pk, "before": before, "after": after}
            for _gap, line, before, after in changed
        ],
        "is_complete": sum(sums["lines"] for sums in totals.values()) < PREVIEW_ORDERS,
    }


def _again(rules: Sequence[commission.Rule], line: OrderLine) -> commission.Commission:
    order: Order = line.order
    sale = commission.Sale(
        currency=order.currency,
        item=line.unit_price * line.quantity,
        at=order.created_at,
        quantity=line.quantity,
        shipping=line.shipping,
        category_path=line.category.path_ids,
        seller=order.seller_id,
        product=line.product_id,
        kind=line.kind,
        order_value=order.total,
    )
    return commission.quote(rules, sale)


def draft_rule(values: dict[str, Any], number: int) -> commission.Rule:
    """Build an engine rule from values that are not stored (for what-ifs)."""
    rule = CommissionRule()
    _assign_simple(rule, values)
    rule.full_clean(exclude=["position"])
    sets = {field: frozenset(one.pk for one in values.get(field, ())) for field in MANY}
    return replace(engine_rule(rule, sets), id=number)


def _lock_list() -> None:
    """Positions belong to the list: one change of it at a time."""
    list(CommissionRule.objects.select_for_update().order_by("pk").values_list("pk", flat=True))


def _assign(rule: CommissionRule, values: dict[str, Any]) -> None:
    _assign_simple(rule, values)
    rule.full_clean()
    rule.save()
    for field in MANY:
        if field in values:
            getattr(rule, field).set(values[field])


def _assign_simple(rule: CommissionRule, values: dict[str, Any]) -> None:
    for field in SIMPLE:
        if field in values:
            setattr(rule, field, values[field])
    if not set(rule.kinds) <= set(Kind.values):
        raise InvalidInput("kinds", _("Kinds are “product” and “service”."))
    rule.kinds = sorted(set(rule.kinds))
    _check_tiers(rule)


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
    """Whether a value is a list of [lower bound, rate] in their ranges."""
    return isinstance(value, list) and len(value) <= MAX_TIERS and all(map(_is_tier, value))


def _is_tier(value: Any) -> bool:
    if not isinstance(value, list | tuple) or [type(part) for part in value] != [int, int]:
        return False
    lower, ppm = value
    return 0 <= lower <= MAX_AMOUNT and 0 <= ppm <= PPM


def _keep_version(actor: Any, rule: CommissionRule) -> None:
    CommissionRuleVersion.objects.create(
        rule=rule, number=rule.version, content=content(rule), changed_by=actor
    )


def _place(rule: CommissionRule, position: int) -> None:
    others = list(CommissionRule.objects.exclude(pk=rule.pk).order_by("position", "id"))
    others.insert(max(0, position - 1), rule)
    _renumber(others)


def _renumber(rules: Iterable[CommissionRule]) -> None:
    for number, rule in enumerate(rules, start=1):
        if rule.position != number:
            rule.position = number
            CommissionRule.objects.filter(pk=rule.pk).update(position=number)
