"""The rules in force as one statement: every rule and measure asked of one event at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Aggregate, CharField, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from riskops.decisions.conditions import LIST, MEASURE, ConditionReader, RuleCondition
from riskops.decisions.keys import Key
from riskops.decisions.sql import COLUMNS, CONTEXT, Sql, asked, is_postgres, kinds_match, measure
from riskops.models import DecisionRule, ListEntry


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is asked."""

    id: int
    version: int
    code: str
    title: str
    outcome: str
    is_shadow: bool
    kinds: tuple[str, ...]
    conditions: tuple[RuleCondition, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that matched, with what its measures came to (None for other conditions)."""

    rule: Rule
    seen: tuple[int | None, ...]

    def to_dict(self, listed: Listed) -> dict[str, Any]:
        """Return the JSON form that a decision keeps; `listed` are the entries that name it."""
        conditions = [
            one.to_dict()
            | ({} if seen is None else {"seen": seen})
            | ({"entries": listed[one.value]} if one.field == LIST and one.value in listed else {})
            for one, seen in zip(self.rule.conditions, self.seen, strict=True)
        ]
        return {
            "code": self.rule.code,
            "title": self.rule.title,
            "outcome": self.rule.outcome,
            "shadow": self.rule.is_shadow,
            "conditions": conditions,
        }


Row = tuple[Any, ...]
# Of each list that names an event or its account: kind and number of the entries.
Listed = dict[str, list[dict[str, Any]]]
MOST_NAMED = 5
RULE_COLUMNS = ("id", "version", "code", "title", "outcome", "is_shadow", "kinds", "conditions")


class _Joined(Aggregate):
    """Collect pieces of SQL that commas separate."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ',')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, function="GROUP_CONCAT", **context)


def rules_and_lists(keys: Iterable[Key]) -> tuple[tuple[Rule, ...], Listed]:
    """Return the rules that are on, in the order in which they are asked, and what lists name.

    Where no rule is on no list is looked at.
    """
    entries = ListEntry.objects.in_force(timezone.now()).matching(keys).order_by()
    number = Cast("pk", CharField())
    entry = Concat("list", Value(":"), "kind", Value(":"), number, output_field=TextField())
    named = entries.values(one=Value(1)).annotate(names=_Joined(entry)).values("names")
    rows = list(
        DecisionRule.objects.enabled()
        .in_order()
        .annotate(lists=Subquery(named))
        .values_list(*RULE_COLUMNS, "lists")
    )
    rules = tuple(_rule(*row[:6], _frozen(row[6]), _frozen(row[7])) for row in rows)
    return rules, _listed(rows[0][8] or "") if rows else {}


def _listed(names: str) -> Listed:
    """Return the entries of each list, from `list:kind:number` between commas; a few of each."""
    found: Listed = {}
    for name in sorted(filter(None, names.split(","))):
        list_name, kind, number = name.split(":")
        found.setdefault(list_name, []).append({"kind": kind, "id": int(number)})
    return {name: entries[:MOST_NAMED] for name, entries in found.items()}


def rule_of(row: DecisionRule) -> Rule:
    """Return a row as it would be asked."""
    head = (row.pk or 0, row.version, row.code, row.title, row.outcome, row.is_shadow)
    return _rule(*head, _frozen(row.kinds), _frozen(row.conditions))


def _frozen(value: Any) -> Any:
    """Return a JSON value that can be a key."""
    if isinstance(value, Mapping):
        return _Frozen((key, _frozen(item)) for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


class _Frozen(tuple):
    pass


def _thawed(value: Any) -> Any:
    if isinstance(value, _Frozen):
        return {key: _thawed(item) for key, item in value}
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value


@lru_cache(maxsize=512)
def _rule(
    pk: int,
    version: int,
    code: str,
    title: str,
    outcome: str,
    is_shadow: bool,
    kinds: Any,
    conditions: Any,
) -> Rule:
    reader = ConditionReader()
    found = reader.read(_thawed(conditions))
    return Rule(pk, version, code, title, outcome, is_shadow, tuple(kinds), found)


@lru_cache(maxsize=64)
def _statement(rules: tuple[Rule, ...], postgres: bool) -> tuple[str, tuple[Any, ...]]:
    """Return the statement of some rules, with the values that do not depend on the event."""
    matches, measures = _matches_and_measures(rules)
    inner = "".join(f", {one.text} AS m{i}" for i, one in enumerate(measures))
    outer = [f"CASE WHEN {one.text} THEN 1 ELSE 0 END" for one in matches]
    outer += [f"e.m{i}" for i in range(len(measures))]
    # Texts are written in this package; every value is bound.
    sql = (
        f"SELECT {', '.join(outer) or '1'} FROM "  # noqa: S608
        f"(SELECT e.*{inner} FROM (SELECT {', '.join(_event_columns(postgres))}) AS e) AS e"
    )
    before = [value for one in matches for value in one.params]
    after = [value for one in measures for value in one.params]
    return sql, (len(before), *before, *after)


def _matches_and_measures(rules: tuple[Rule, ...]) -> tuple[list[Sql], list[Sql]]:
    """Return what each rule asks, and the measures that they read as `m0`, `m1`, …"""
    measures: list[Sql] = []
    matches: list[Sql] = []
    for rule in rules:
        kinds = kinds_match(rule.kinds)
        parts = [kinds]
        for one in rule.conditions:
            column = f"e.m{len(measures)}"
            if one.field == MEASURE and one.measure is not None:
                counted = measure(one.measure, one.window)
                text = f"CASE WHEN {kinds.text} THEN {counted.text} END"
                measures.append(Sql(text, counted.params))
            parts.append(asked(one, column))
        matches.append(Sql.all_of(parts))
    return matches, measures


def _event_columns(postgres: bool) -> list[str]:
    """Return the bound values of the event as columns; PostgreSQL needs their types."""
    return [
        f"%s::{type_} AS {name}" if postgres else f"%s AS {name}"
        for name, type_ in (*COLUMNS, *CONTEXT)
    ]


def matching(rules: Sequence[Rule], row: Row) -> list[Match]:
    """Return the rules that match one event, in order; one statement however many rules.

    `row` has the values of `COLUMNS` and `CONTEXT`.
    """
    if not rules:
        return []
    sql, (first, *fixed) = _statement(tuple(rules), is_postgres())
    values = [
        connection.ops.adapt_datetimefield_value(v) if isinstance(v, datetime) else v for v in row
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*fixed[:first], *fixed[first:], *values])
        found = cursor.fetchone()
    return _matches(rules, found)


def _matches(rules: Sequence[Rule], found: Row) -> list[Match]:
    measured = iter(found[len(rules) :])
    matches = []
    for rule, hit in zip(rules, found, strict=False):
        seen = tuple(
            int(value) if one.field == MEASURE and (value := next(measured)) is not None else None
            for one in rule.conditions
        )
        if hit:
            matches.append(Match(rule, seen))
    return matches
