"""Writes of commission rules, and reading them as the engine's rules."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace import commission
from marketplace.errors import RuleInUse
from marketplace.models import (
    CommissionCharge,
    CommissionFee,
    CommissionLine,
    CommissionRule,
    CommissionRuleVersion,
    PayoutCharge,
)
from marketplace.services import concerned, rule_policies
from marketplace.services.own_charges import no_less_for_own
from marketplace.services.rule_checks import MANY, check_rule
from marketplace.services.schedule import engine_rule
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.services.duties import check_no_own_interest, decides

SIMPLE = (
    "name",
    "is_active",
    "applies_to_all",
    "kinds",
    "currency",
    "value_from",
    "value_below",
    "line_from",
    "line_below",
    "unit_from",
    "unit_below",
    "volume_window",
    "volume_between",
    "volume_measure",
    "volume_from",
    "volume_below",
    "countries",
    "buyer_countries",
    "tax_statuses",
    "levels",
    "valid_from",
    "valid_to",
    "per",
    "ppm",
    "tiers",
    "tiers_mode",
    "tiers_by",
    "rounding",
    "fixed",
    "fixed_per",
    "minimum",
    "maximum",
    "tax_ppm",
    "tax_by_seller",
    "include_item",
    "include_shipping",
    "include_tax",
    "include_discount",
    "include_platform_discount",
    "include_buyer_fees",
    "on_refund",
    "fixed_refundable",
    "refund_fee_ppm",
    "refund_fee_maximum",
)


@decides(
    "marketplace.create_commission_rule",
    permission="marketplace.add_commissionrule",
    concerns=concerned.sellers_of_rule,
)
@rule_policies.create_rule
@transaction.atomic
def create_rule(*, actor: Any, position: int | None = None, **values: Any) -> CommissionRule:
    """Add a rule, at the end of the list unless a position is given."""
    _lock_list()
    rule = CommissionRule(fee=values.get("fee") or default_fee())
    rule.position = CommissionRule.objects.count() + 1
    with no_less_for_own(actor=actor, act="marketplace.create_commission_rule"):
        _assign(rule, values)
        _keep_version(actor, rule)
        if position is not None:
            _place(actor, rule, position)
    audit.record(
        "marketplace.commission_rule.created", actor=actor, target=rule, after=content(rule)
    )
    return rule


@decides(
    "marketplace.update_commission_rule",
    permission="marketplace.change_commissionrule",
    concerns=concerned.sellers_of_rule,
)
@rule_policies.update_rule
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
    with no_less_for_own(actor=actor, act="marketplace.update_commission_rule"):
        _assign(rule, values)
        if position is not None:
            _place(actor, rule, position)
    _keep_version(actor, rule)
    audit.record(
        "marketplace.commission_rule.updated",
        actor=actor,
        target=rule,
        before=before,
        after=content(rule),
    )
    return rule


@decides(
    "marketplace.delete_commission_rule",
    permission="marketplace.delete_commissionrule",
    concerns=concerned.sellers_of_rule,
)
@rule_policies.delete_rule
@transaction.atomic
def delete_rule(*, actor: Any, rule: CommissionRule, expected_version: int | None = None) -> None:
    """Delete a rule that never charged a sale."""
    _lock_list()
    rule = lock_row(CommissionRule.objects.all(), pk=rule.pk, expected_version=expected_version)
    kept: tuple[Any, ...] = (CommissionCharge, CommissionLine, PayoutCharge)
    if any(model.objects.filter(rule=rule).exists() for model in kept):
        raise RuleInUse
    audit.record(
        "marketplace.commission_rule.deleted", actor=actor, target=rule, before=content(rule)
    )
    with no_less_for_own(actor=actor, act="marketplace.delete_commission_rule"):
        rule.delete()
    _renumber(CommissionRule.objects.order_by("position", "id"))


@rule_policies.reorder_rules
@transaction.atomic
def reorder_rules(*, actor: Any, ids: Sequence[int]) -> list[CommissionRule]:
    """Put the whole list into the given order."""
    _lock_list()
    rules = {rule.pk: rule for rule in CommissionRule.objects.all()}
    before = sorted(rules, key=lambda pk: (rules[pk].position, pk))
    if sorted(ids) != sorted(rules):
        raise InvalidInput("order", _("Name every rule exactly once."))
    ordered = [rules[pk] for pk in ids]
    _check_passed(actor, [rules[pk] for pk in before], ordered)
    with no_less_for_own(actor=actor, act="marketplace.update_commission_rule"):
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
    values: dict[str, Any] = {"position": rule.position, "fee": rule.fee_id}
    for field in SIMPLE:
        value = getattr(rule, field)
        values[field] = value.isoformat() if isinstance(value, datetime) else value
    for field in MANY:
        values[field] = sorted(one.pk for one in getattr(rule, field).all())
    return values


def default_fee() -> CommissionFee:
    """Return the fee that rules belong to when none is named; it is made when it is missing."""
    fee, _created = CommissionFee.objects.get_or_create(
        code=CommissionFee.DEFAULT_CODE, defaults={"name": "Commission"}
    )
    return fee


def draft_rule(values: dict[str, Any], number: int) -> commission.Rule:
    """Build an engine rule from values that are not stored (for what-ifs)."""
    rule = CommissionRule(fee=values.get("fee") or default_fee())
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
    if values.get("fee") is not None:
        rule.fee = values["fee"]
    for field in SIMPLE:
        if field in values:
            setattr(rule, field, values[field])
    if "per" in values and "fixed_per" not in values:
        _follow_unit(rule)
    check_rule(rule, values)


def _follow_unit(rule: CommissionRule) -> None:
    """Let the fixed amount count once for what the rule is charged per, unless it says other."""
    if rule.per == CommissionRule.Per.UNIT:
        rule.fixed_per = CommissionRule.Per.UNIT
    elif rule.per in (CommissionRule.Per.ORDER, CommissionRule.Per.PAYOUT):
        rule.fixed_per = rule.per


def _keep_version(actor: Any, rule: CommissionRule) -> None:
    CommissionRuleVersion.objects.create(
        rule=rule, number=rule.version, content=content(rule), changed_by=actor
    )


def _place(actor: Any, rule: CommissionRule, position: int) -> None:
    before = list(CommissionRule.objects.order_by("position", "id"))
    ordered = [one for one in before if one.pk != rule.pk]
    ordered.insert(max(0, position - 1), rule)
    _check_passed(actor, before, ordered)
    _renumber(ordered)


def _check_passed(
    actor: Any, before: Sequence[CommissionRule], after: Sequence[CommissionRule]
) -> None:
    """Refuse an order in which another rule goes before or behind one that is the actor's own.

    The first rule of a fee that matches is charged: what is ahead of a rule decides what it does.
    A new rule comes from the end of the list.
    """
    if actor is None or before == after:
        return
    ahead, now_ahead = _ahead(before), _ahead(after)
    passed = [rule for rule in after if now_ahead[rule.pk] != ahead[rule.pk]]
    check_no_own_interest(
        actor=actor,
        concerns=concerned.sellers_of_rules(actor=actor, rules=passed),
        act="marketplace.update_commission_rule",
    )


def _ahead(rules: Sequence[CommissionRule]) -> dict[int, frozenset[int]]:
    """Return which rules are ahead of each."""
    ids = [rule.pk for rule in rules]
    return {pk: frozenset(ids[:place]) for place, pk in enumerate(ids)}


def _renumber(rules: Iterable[CommissionRule]) -> None:
    for number, rule in enumerate(rules, start=1):
        if rule.position != number:
            rule.position = number
            CommissionRule.objects.filter(pk=rule.pk).update(position=number)
