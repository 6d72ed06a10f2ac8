"""What staff do with decision rules: write, change, switch, delete; and the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from riskops.decisions.conditions import ConditionReader
from riskops.decisions.sentences import conditions_texts, kinds_text
from riskops.decisions.weakening import RuleSnapshot, is_weaker
from riskops.errors import DecisionRuleInUse, TooManyRules
from riskops.models import Decision, DecisionRule
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User
from systemadmin.services.second_person import Subject, needs_second_person

EDITABLE = (
    "code",
    "title",
    "kinds",
    "conditions",
    "outcome",
    "priority",
    "is_shadow",
    "is_enabled",
)
# One statement asks all of them, so there is a bound.
MOST_ENABLED = 60

SHIPPED: tuple[tuple[str, Any, str, int, bool, list[dict[str, Any]]], ...] = (
    (
        "deny-list",
        _("On the deny list"),
        "block",
        10,
        False,
        [{"field": "list", "op": "is", "value": "deny"}],
    ),
    (
        "allow-list",
        _("On the allow list"),
        "allow",
        20,
        False,
        [{"field": "list", "op": "is", "value": "allow"}],
    ),
    (
        "watch-list",
        _("On the watch list"),
        "review",
        30,
        False,
        [{"field": "list", "op": "is", "value": "watch"}],
    ),
    (
        "critical-score",
        _("Critical score"),
        "block",
        40,
        True,
        [{"field": "level", "op": "is", "value": "critical"}],
    ),
    (
        "high-score",
        _("High score"),
        "review",
        50,
        False,
        [{"field": "level", "op": "at_least", "value": "high"}],
    ),
)


def ship_default_decision_rules(**_kwargs: Any) -> None:
    """Fill an empty table with the shipped rules; what staff changed since stays."""
    if DecisionRule.objects.exists():
        return
    DecisionRule.objects.bulk_create(
        [
            DecisionRule(
                code=code,
                title=str(title),
                outcome=outcome,
                priority=priority,
                is_shadow=is_shadow,
                conditions=conditions,
            )
            for code, title, outcome, priority, is_shadow, conditions in SHIPPED
        ],
        ignore_conflicts=True,
    )


def _standing(rule: DecisionRule) -> RuleSnapshot:
    return RuleSnapshot(
        outcome=rule.outcome,
        priority=rule.priority,
        in_earnest=rule.is_enabled and not rule.is_shadow,
        kinds=tuple(rule.kinds),
        conditions=ConditionReader().read(rule.conditions),
    )


def _standing_before(*, rule: DecisionRule, **_rest: Any) -> RuleSnapshot | None:
    stored = DecisionRule.objects.filter(pk=rule.pk).first()
    return _standing(stored) if stored else None


def _lets_more_pass(before: RuleSnapshot | None, after: DecisionRule | None, pk: int) -> bool:
    others = DecisionRule.objects.blocking().exclude(pk=pk).values_list("priority", flat=True)
    return is_weaker(before, _standing(after) if after else None, others)


def _shown_rule(*, rule: DecisionRule, **rest: Any) -> list[tuple[Any, Any]]:
    values = rest.get("values") or {}
    return [
        (_("rule"), f"{rule.title} ({rule.code})"),
        (_("outcome"), rule.get_outcome_display()),
        (_("of these events"), kinds_text(rule.kinds)),
        (_("conditions"), "; ".join(conditions_texts(rule.conditions))),
        (_("changes"), ", ".join(sorted(values))),
    ]


def _shown_new(*, values: Mapping[str, Any], **_rest: Any) -> list[tuple[Any, Any]]:
    return [
        (_("rule"), f"{values.get('title')} ({values.get('code')})"),
        (_("outcome"), values.get("outcome")),
        (_("priority"), values.get("priority")),
        (_("conditions"), "; ".join(conditions_texts(values.get("conditions") or []))),
    ]


@needs_second_person(
    "riskops.create_decision_rule",
    kind="switch_off",
    title=_("Write a decision rule before one that blocks"),
    permission="riskops.add_decisionrule",
    rule=_("when a rule that does not block is asked before one that blocks"),
    needs=lambda attempt: _lets_more_pass(None, attempt.result, attempt.result.pk),
    subject=lambda attempt: Subject(
        type="decision_rule",
        id=str(attempt.arguments["values"].get("code", "")),
        name=str(attempt.arguments["values"].get("title", ""))[:200],
    ),
    shown=_shown_new,
)
@transaction.atomic
def create_decision_rule(*, actor: User | None, values: Mapping[str, Any]) -> DecisionRule:
    """Write a rule; by default it only writes down what it would decide."""
    rule = DecisionRule()
    _apply(rule, values)
    rule.save()
    audit.record("riskops.decision_rule.created", actor=actor, target=rule, after=_values(rule))
    return rule


@needs_second_person(
    "riskops.change_decision_rule",
    kind="switch_off",
    title=_("Change a decision rule so that more passes"),
    permission="riskops.change_decisionrule",
    rule=_("when a rule that blocks would block less"),
    needs=lambda attempt: _lets_more_pass(attempt.before, attempt.result, attempt.result.pk),
    subject=lambda attempt: attempt.arguments["rule"],
    before=_standing_before,
    shown=_shown_rule,
)
@transaction.atomic
def change_decision_rule(
    *,
    actor: User | None,
    rule: DecisionRule,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> DecisionRule:
    """Change a rule; decisions made keep what it was then."""
    row = lock_row(DecisionRule.objects.all(), expected_version=expected_version, pk=rule.pk)
    before = _values(row)
    row.bump()
    _apply(row, values)
    row.save()
    audit.record(
        "riskops.decision_rule.changed", actor=actor, target=row, before=before, after=_values(row)
    )
    return row


@needs_second_person(
    "riskops.delete_decision_rule",
    kind="switch_off",
    title=_("Delete a decision rule that blocks"),
    permission="riskops.delete_decisionrule",
    rule=_("when the rule blocks"),
    needs=lambda attempt: _lets_more_pass(attempt.before, None, attempt.arguments["rule"].pk),
    subject=lambda attempt: attempt.arguments["rule"],
    before=_standing_before,
    shown=_shown_rule,
)
@transaction.atomic
def delete_decision_rule(
    *, actor: User | None, rule: DecisionRule, expected_version: int | None = None
) -> None:
    """Delete a rule that never decided; raises `DecisionRuleInUse`."""
    row = lock_row(DecisionRule.objects.all(), expected_version=expected_version, pk=rule.pk)
    if Decision.objects.filter(rule=row).exists():
        raise DecisionRuleInUse
    audit.record("riskops.decision_rule.deleted", actor=actor, target=row, before=_values(row))
    row.delete()


def _apply(rule: DecisionRule, values: Mapping[str, Any]) -> None:
    for name in EDITABLE:
        if name in values:
            setattr(rule, name, values[name])
    reader = ConditionReader()
    rule.conditions = [one.to_dict() for one in reader.read(rule.conditions)]
    rule.kinds = list(reader.kinds(rule.kinds))
    if reader.errors:
        raise InvalidInput(reader.errors)
    rule.full_clean()
    others = DecisionRule.objects.enabled().exclude(pk=rule.pk)
    if rule.is_enabled and others.count() >= MOST_ENABLED:
        raise TooManyRules


def _values(rule: DecisionRule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in EDITABLE}
