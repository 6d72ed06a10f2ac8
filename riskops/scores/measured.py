"""Reads the events that the measures of a ruleset look at: one statement for all of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection

from riskops.account_sets import Accounts
from riskops.columns import Read, fetch, moment
from riskops.event_kinds import KIND_BY_CODE
from riskops.models.events import AccountEvent
from riskops.scores.aggregates import Counted, MeasuredEvents, aggregate
from riskops.scores.factors import Factor
from riskops.scores.measure_spec import AMOUNTS, Chosen, Condition, Measure
from riskops.scores.rules import Ruleset
from riskops.scores.scoring import Ints

EVENTS = AccountEvent._meta.db_table
COMPARISONS = {"is": "=", "is_not": "<>", "at_least": ">=", "at_most": "<="}


def read_measured(
    ids: Ints, accounts: Accounts, ruleset: Ruleset, *, at: datetime, at_micros: int
) -> dict[str, Counted]:
    """Return what each measure of the ruleset counts, by factor, one element an account."""
    factors = [(f, f.measure) for f in ruleset.factors if f.measure is not None and f.enabled]
    if not factors or not len(ids):
        return {}
    columns, params = _columns(factors)
    longest = max((factor.window or 0) + measure.past for factor, measure in factors)
    kinds = sorted({KIND_BY_CODE[code].value for _f, m in factors for code in m.kinds})
    where, where_params = accounts.sql("e.account_id")
    tail = (
        f"FROM {EVENTS} AS e WHERE e.kind IN ({', '.join(map(str, kinds))}) "
        f"AND e.occurred_at > %s AND e.occurred_at <= %s AND {where}"
    )
    bound = [*params, at - timedelta(seconds=longest), at, *where_params]
    found = fetch(columns, tail, bound)
    rows = np.minimum(np.searchsorted(ids, found["account"]), len(ids) - 1)
    known = ids[rows] == found["account"]
    return {
        factor.code: aggregate(
            factor,
            measure,
            MeasuredEvents(
                row=rows[known],
                at=found["at"][known],
                value=found[f"value{i}"][known],
                chosen=found[f"chosen{i}"][known] == 1,
                other=found[f"other{i}"][known] == 1,
            ),
            len(ids),
            at_micros,
        )
        for i, (factor, measure) in enumerate(factors)
    }


def _columns(factors: list[tuple[Factor, Measure]]) -> tuple[list[Read], list[Any]]:
    columns = [Read("account", "e.account_id"), moment("at", "e.occurred_at")]
    params: list[Any] = []
    for i, (_factor, measure) in enumerate(factors):
        chosen, chosen_params = _matches(measure.events)
        value = _value(measure)
        if measure.aggregate in AMOUNTS or measure.aggregate == "distinct":
            chosen = f"{chosen} AND {value} IS NOT NULL"
        if measure.aggregate == "distinct" and measure.field == "country":
            chosen = f"{chosen} AND e.country <> ''"
        other, other_params = _matches(measure.other) if measure.other else ("1 = 0", [])
        columns += [
            Read(f"chosen{i}", f"CASE WHEN {chosen} THEN 1 ELSE 0 END"),
            Read(f"other{i}", f"CASE WHEN {other} THEN 1 ELSE 0 END"),
            Read(f"value{i}", value),
        ]
        params += [*chosen_params, *other_params]
    return columns, params


def _value(measure: Measure) -> str:
    if measure.aggregate in AMOUNTS:
        return "e.amount"
    if measure.aggregate != "distinct":
        return "0"
    if measure.field == "country":
        if connection.vendor == "postgresql":
            return "ascii(e.country) * 256 + ascii(substr(e.country, 2))"
        return "unicode(e.country) * 256 + unicode(substr(e.country, 2))"
    if measure.field in ("hour", "day"):
        return _hour() if measure.field == "hour" else _day()
    return f"e.{measure.field}_id"


def _hour() -> str:
    if connection.vendor == "postgresql":
        return "EXTRACT(HOUR FROM e.occurred_at AT TIME ZONE 'UTC')"
    return "CAST(strftime('%%H', e.occurred_at) AS INTEGER)"


def _day() -> str:
    if connection.vendor == "postgresql":
        return "((e.occurred_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01')"
    return "CAST(julianday(substr(e.occurred_at, 1, 10)) AS INTEGER)"


def _matches(chosen: Chosen) -> tuple[str, list[Any]]:
    kinds = ", ".join(str(KIND_BY_CODE[code].value) for code in chosen.kinds)
    parts, params = [f"e.kind IN ({kinds})"], []
    for condition in chosen.where:
        sql, value = _condition(condition)
        parts.append(sql)
        params.append(value)
    return " AND ".join(parts), params


def _condition(condition: Condition) -> tuple[str, Any]:
    """SQL of one condition with its value; a field that an event does not have matches nothing."""
    compare = COMPARISONS[condition.op]
    if condition.field.startswith("data."):
        name = condition.field.removeprefix("data.")
        if condition.op in ("at_least", "at_most"):
            return f"({_data_number(name)}) {compare} %s", condition.value
        return f"{_data_text(name)} {compare} %s", str(condition.value)
    if condition.field == "hour":
        return f"{_hour()} {compare} %s", condition.value
    value = condition.value if condition.field == "amount" else str(condition.value)
    return f"e.{condition.field} {compare} %s", value


def _data_text(name: str) -> str:
    # The name was checked when the rules were read: letters, digits and underscores.
    if connection.vendor == "postgresql":
        return f"(e.data ->> '{name}')"
    return f"CAST(json_extract(e.data, '$.\"{name}\"') AS TEXT)"


def _data_number(name: str) -> str:
    if connection.vendor == "postgresql":
        return (
            f"CASE WHEN jsonb_typeof(e.data -> '{name}') = 'number' "
            f"THEN (e.data ->> '{name}')::numeric END"
        )
    path = f"'$.\"{name}\"'"
    return (
        f"CASE WHEN json_type(e.data, {path}) IN ('integer', 'real') "
        f"THEN json_extract(e.data, {path}) END"
    )
