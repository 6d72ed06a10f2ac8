"""SQL of decision rules: what a rule asks of one event in the moment or of a month of them.

There is one definition: a decision runs these expressions on a relation of one row, a back-test
on the event log. Both relations are called `e` and have the columns of `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from riskops.decisions.conditions import LEVEL, LIST, MEASURE, NEW, NEW_WITHIN, RuleCondition
from riskops.event_kinds import KIND_BY_CODE
from riskops.models.events import AccountEvent
from riskops.scores.measure_spec import AMOUNTS, Chosen, Condition, Measure
from riskops.scores.rules import LEVELS
from riskops.scores.written_factors import COMPARISONS, condition_sql, day_of, hour_of

EVENTS = AccountEvent._meta.db_table
# Name and type on PostgreSQL of what rules may ask of an event.
COLUMNS = (
    ("id", "bigint"),
    ("account_id", "bigint"),
    ("kind", "smallint"),
    ("occurred_at", "timestamptz"),
    ("source", "text"),
    ("ip_id", "bigint"),
    ("device_id", "bigint"),
    ("wallet_id", "bigint"),
    ("counterparty_wallet_id", "bigint"),
    ("amount", "bigint"),
    ("currency", "text"),
    ("country", "text"),
    ("data", "jsonb"),
)
# What is not in the event: of the account at that moment, and which lists hold it.
CONTEXT = (
    ("score", "integer"),
    ("level", "integer"),
    ("joined_at", "timestamptz"),
    ("on_allow", "integer"),
    ("on_deny", "integer"),
    ("on_watch", "integer"),
)
MOST = 10**15


@dataclass(slots=True)
class Sql:
    """A piece of SQL with its values, in order."""

    text: str
    params: list[Any] = field(default_factory=list)

    @classmethod
    def all_of(cls, parts: Sequence[Sql]) -> Sql:
        """Return the conjunction; of nothing it is true."""
        text = " AND ".join(f"({part.text})" for part in parts) or "1 = 1"
        return cls(text, [value for part in parts for value in part.params])


def is_postgres() -> bool:
    return connection.vendor == "postgresql"


def kinds_match(kinds: Sequence[str]) -> Sql:
    """Return whether an event is of one of these kinds; none means all."""
    if not kinds:
        return Sql("1 = 1")
    numbers = sorted(KIND_BY_CODE[code].value for code in kinds)
    return Sql(f"e.kind IN ({', '.join(map(str, numbers))})")


def asked(one: RuleCondition, measured: str = "") -> Sql:
    """Return whether a condition holds for `e`; `measured` is the column with a measure's value."""
    compare = COMPARISONS[one.op]
    if one.field == MEASURE:
        return Sql(f"{measured} {compare} %s", [one.value])
    if one.field == LIST:
        wanted = 1 if one.op == "is" else 0
        return Sql(f"e.on_{one.value} = {wanted}")
    if one.field == NEW:
        sql = _is_new(str(one.value))
        return sql if one.op == "is" else Sql(f"NOT ({sql.text})", sql.params)
    if one.field == LEVEL:
        return Sql(f"e.level {compare} %s", [LEVELS.index(str(one.value))])
    if one.field == "score":
        return Sql(f"e.score {compare} %s", [one.value])
    if one.field == "account_age":
        return Sql(f"{_hours_between('e.joined_at', 'e.occurred_at')} {compare} %s", [one.value])
    return condition(Condition(one.field, one.op, one.value), "e")


def condition(one: Condition, event: str) -> Sql:
    """Return whether an event meets a condition."""
    text, value = condition_sql(one, event)
    return Sql(text, [value])


def _hours_between(first: str, second: str) -> str:
    if is_postgres():
        return f"FLOOR(EXTRACT(EPOCH FROM {second} - {first}) / 3600)"
    return f"CAST((julianday({second}) - julianday({first})) * 24 AS INTEGER)"


def _before(seconds: int) -> str:
    """Return SQL of the moment so many seconds before the event."""
    if is_postgres():
        return f"e.occurred_at - interval '{seconds} seconds'"
    # Django's own function writes moments exactly as they are stored.
    return f"django_format_dtdelta('-', e.occurred_at, {seconds * 1_000_000})"


def _is_new(name: str) -> Sql:
    column = name if name == "country" else f"{name}_id"
    has = f"e.{column} <> ''" if name == "country" else f"e.{column} IS NOT NULL"
    return Sql(
        f"{has} AND NOT EXISTS (SELECT 1 FROM {EVENTS} AS p "  # noqa: S608
        f"WHERE p.account_id = e.account_id AND p.occurred_at > {_before(NEW_WITHIN)} "
        f"AND p.occurred_at <= e.occurred_at AND p.{column} = e.{column} "
        "AND (e.id IS NULL OR p.id <> e.id))"
    )


# -- measures ----------------------------------------------------------------------


def measure(found: Measure, window: int) -> Sql:
    """Return SQL of what a measure counts up to the event, the event included."""
    if found.aggregate == "habit":
        return _habit(found, window)
    chosen = _chosen(found.events)
    if found.aggregate in AMOUNTS:
        chosen.text += " AND p.amount IS NOT NULL"
    picked = _aggregate(found)
    params: list[Any] = []
    if found.aggregate == "share" and found.other is not None:
        other = _chosen(found.other)
        picked = (
            f"COALESCE(SUM(CASE WHEN {other.text} THEN 1 ELSE 0 END), 0) * 1000 "
            "/ GREATEST(COUNT(*), 1)"
        )
        params += other.params
    return _over(picked, params, chosen, _before(window), "e.occurred_at", window)


def _over(picked: str, params: list[Any], chosen: Sql, start: str, end: str, window: int) -> Sql:
    if not is_postgres():
        picked = picked.replace("GREATEST(", "MAX(").replace("LEAST(", "MIN(")
    return Sql(
        f"(SELECT {picked} FROM {EVENTS} AS p WHERE p.account_id = e.account_id "  # noqa: S608
        f"AND p.occurred_at > {start} AND p.occurred_at <= {end} AND {chosen.text})",
        [*params, *chosen.params],
    )


def _chosen(events: Chosen) -> Sql:
    kinds = ", ".join(str(KIND_BY_CODE[code].value) for code in events.kinds)
    parts = [Sql(f"p.kind IN ({kinds})"), *(condition(one, "p") for one in events.where)]
    return Sql.all_of(parts)


def _aggregate(found: Measure) -> str:
    total = f"GREATEST(COALESCE(SUM(GREATEST(LEAST(p.amount, {MOST}), -{MOST})), 0), 0)"
    return {
        "count": "COUNT(*)",
        "share": "",
        "distinct": f"COUNT(DISTINCT {_distinct(found.field)})",
        "sum": f"LEAST({total}, {MOST})",
        "max": f"LEAST(GREATEST(COALESCE(MAX(p.amount), 0), 0), {MOST})",
        "mean": f"{_whole(total)} / GREATEST(COUNT(*), 1)",
    }[found.aggregate]


def _whole(sql: str) -> str:
    # The sum of 64-bit numbers is a decimal on PostgreSQL, whose quotient is no whole number.
    return f"CAST({sql} AS bigint)" if is_postgres() else sql


def _distinct(name: str) -> str:
    if name == "country":
        return "NULLIF(p.country, '')"
    if name == "hour":
        return hour_of("p")
    if name == "day":
        return day_of("p")
    return f"p.{name}_id"


def _habit(found: Measure, window: int) -> Sql:
    """Return the largest amount of the window in per cent of the mean in the time before it."""
    chosen = _chosen(found.events)
    chosen.text += " AND p.amount IS NOT NULL"
    before = f"p.occurred_at <= {_before(window)}"
    total = f"SUM(CASE WHEN {before} THEN GREATEST(LEAST(p.amount, {MOST}), -{MOST}) END)"
    number = f"SUM(CASE WHEN {before} THEN 1 ELSE 0 END)"
    largest = f"GREATEST(COALESCE(MAX(CASE WHEN {before} THEN NULL ELSE p.amount END), 0), 0)"
    mean = f"GREATEST({_whole(total)} / GREATEST({number}, 1), 1)"
    picked = (
        f"CASE WHEN {number} >= {found.least_past} AND COALESCE({total}, 0) > 0 "
        f"THEN LEAST({_whole(f'LEAST({largest}, {MOST})')} * 100 / {mean}, {MOST}) ELSE 0 END"
    )
    start = _before(window + found.past)
    return _over(picked, [], chosen, start, "e.occurred_at", window)
