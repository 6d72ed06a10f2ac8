"""Reads the events that the measures of a ruleset look at: one statement for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection

from riskops.account_sets import Accounts
from riskops.columns import Read, fetch, moment
from riskops.event_kinds import KIND_BY_CODE
from riskops.models.event_outcomes import EventOutcome
from riskops.models.events import AccountEvent
from riskops.scores.aggregates import MeasuredEvents, MeasureResult, aggregate
from riskops.scores.factors import Factor
from riskops.scores.measure_spec import AMOUNTS, WITH_FIELD, Chosen, Condition, Measure, own_past
from riskops.scores.rules import Ruleset
from riskops.scores.scoring import SECOND, Ints

EVENTS = AccountEvent._meta.db_table
OUTCOMES = EventOutcome._meta.db_table
# A share is taken as if two more events were known, one bad one in a hundred among them.
SMOOTHING, SMOOTHED = 2, 2
COMPARISONS = {"is": "=", "is_not": "<>", "at_least": ">=", "at_most": "<="}


def read_measured(
    ids: Ints, accounts: Accounts, ruleset: Ruleset, *, at: datetime, at_micros: int
) -> dict[str, MeasureResult]:
    """Return what each measure of the ruleset counts, by factor, one element an account."""
    factors = _measuring(ruleset)
    if not factors or not len(ids):
        return {}
    columns = _Columns()
    names = [columns.add_factor(factor, measure, at) for factor, measure in factors]
    longest = max((factor.window or 0) + own_past(measure) for factor, measure in factors)
    kinds = {code for _factor, measure in factors for code in measure.kinds}
    found = _read(columns, accounts, kinds, at - timedelta(seconds=longest), at)
    rows = np.minimum(np.searchsorted(ids, found["account"]), len(ids) - 1)
    known = ids[rows] == found["account"]
    counted = {}
    for (factor, measure), (chosen, other, value) in zip(factors, names, strict=True):
        events = MeasuredEvents(
            row=rows[known],
            at=found["at"][known],
            value=found[value][known],
            chosen=found[chosen][known] == 1,
            other=found[other][known] == 1,
        )
        counted[factor.code] = aggregate(factor, measure, events, len(ids), at_micros)
    return counted


def _measuring(ruleset: Ruleset) -> list[tuple[Factor, Measure]]:
    """Return the factors that are on and read events one by one, with their measures."""
    return [(f, f.measure) for f in ruleset.factors if f.measure is not None and f.enabled]


def _read(
    columns: _Columns, accounts: Accounts, kinds: set[str], start: datetime, end: datetime
) -> dict[str, Ints]:
    """Read the events of some kinds in a time, each as the columns say."""
    numbers = sorted(KIND_BY_CODE[code].value for code in kinds)
    where, where_params = accounts.sql("e.account_id")
    tail = (
        f"FROM {EVENTS} AS e WHERE e.kind IN ({', '.join(map(str, numbers))}) "
        f"AND e.occurred_at > %s AND e.occurred_at <= %s AND {where}"
    )
    return fetch(columns.reads, tail, [*columns.params, start, end, *where_params])


def currency_paid(account: int, measure: Measure, since: int, window: int) -> str:
    """Return the one currency of the events that a measure counted from a moment on, if one it is.

    `since` is the moment of the first of them, in microseconds.
    """
    start = datetime.fromtimestamp(since // SECOND, UTC)
    found = AccountEvent.objects.filter(
        account=account,
        kind__in=[KIND_BY_CODE[code].value for code in measure.events.kinds],
        occurred_at__gte=start,
        occurred_at__lte=start + timedelta(seconds=window + 1),
        amount__isnull=False,
    )
    currencies = set(found.values_list("currency", flat=True).distinct()[:2])
    return currencies.pop() if len(currencies) == 1 else ""


class _Columns:
    """What is read of each event; factors that look at the same share one column."""

    def __init__(self) -> None:
        self.reads = [Read("account", "e.account_id"), moment("at", "e.occurred_at")]
        self.params: list[Any] = []
        self._names: dict[tuple[str, tuple[Any, ...]], str] = {}

    def add_factor(self, factor: Factor, measure: Measure, at: datetime) -> tuple[str, str, str]:
        """Return the names of the columns of a factor: chosen, other, value."""
        chosen, chosen_params = _matches(measure.events)
        value, value_params = _value(measure, at)
        if measure.aggregate == "counterparty":
            # Its share is looked up event by event: not for those of other factors' longer pasts.
            value = (
                f"CASE WHEN e.occurred_at > %s AND e.kind IN ({_kinds(measure.events)}) "
                f"AND e.counterparty_wallet_id IS NOT NULL THEN {value} ELSE 0 END"
            )
            value_params = [at - timedelta(seconds=factor.window or 0), *value_params]
            chosen = f"{chosen} AND e.counterparty_wallet_id IS NOT NULL"
        if measure.aggregate in AMOUNTS or measure.aggregate in WITH_FIELD:
            chosen = f"{chosen} AND {value} IS NOT NULL"
        if measure.aggregate in WITH_FIELD and measure.field == "country":
            chosen = f"{chosen} AND e.country <> ''"
        other, other_params = _matches(measure.other) if measure.other else ("1 = 0", [])
        return (
            self._add(f"CASE WHEN {chosen} THEN 1 ELSE 0 END", chosen_params),
            self._add(f"CASE WHEN {other} THEN 1 ELSE 0 END", other_params),
            self._add(value, value_params),
        )

    def _add(self, sql: str, params: list[Any]) -> str:
        key = (sql, tuple(params))
        if key not in self._names:
            self._names[key] = f"column{len(self._names)}"
            self.reads.append(Read(self._names[key], sql))
            self.params += params
        return self._names[key]


def _value(measure: Measure, at: datetime) -> tuple[str, list[Any]]:
    """Return SQL of what is looked at of an event, with its values."""
    if measure.aggregate == "counterparty":
        return counterparty_share(measure, at)
    if measure.aggregate in AMOUNTS:
        return "e.amount", []
    return _field(measure) if measure.aggregate in WITH_FIELD else "0", []


def counterparty_share(measure: Measure, at: datetime) -> tuple[str, list[Any]]:
    """Return SQL of the smoothed share of bad outcomes of an event's counterparty, per thousand.

    The moment is that of the last full hour, so that the share holds until the next.
    """
    known = at.replace(minute=0, second=0, microsecond=0)
    end = known - timedelta(seconds=measure.delay)
    start = end - timedelta(seconds=measure.past)
    kinds = _kinds(measure.events)
    inside = "occurred_at > %s AND {0}.occurred_at <= %s"
    number = (
        f"(SELECT COUNT(*) FROM {EVENTS} AS c WHERE "  # noqa: S608
        "c.counterparty_wallet_id = e.counterparty_wallet_id "
        f"AND c.kind IN ({kinds}) AND c.{inside.format('c')})"
    )
    share = f"1000 * (100 * b.bad + {SMOOTHED}) / (100 * ({number} + {SMOOTHING}))"
    # One that was named as such has no account: it is bad from when that was known.
    bad = (
        "(SELECT COUNT(o.account_id) AS bad, COUNT(*) - COUNT(o.account_id) AS named "  # noqa: S608
        f"FROM {OUTCOMES} AS o WHERE o.counterparty_id = e.counterparty_wallet_id "
        f"AND o.is_fraud AND (o.account_id IS NULL OR (o.{inside.format('o')})) "
        "AND o.known_at <= %s)"
    )
    case = f"CASE WHEN b.named > 0 THEN 1000 WHEN b.bad > 0 THEN {share} ELSE 0 END"
    sql = f"(SELECT {case} FROM {bad} AS b)"  # noqa: S608
    return sql, [start, end, start, end, known]


def _field(measure: Measure) -> str:
    if measure.field == "country":
        if connection.vendor == "postgresql":
            return "ascii(e.country) * 256 + ascii(substr(e.country, 2))"
        return "unicode(e.country) * 256 + unicode(substr(e.country, 2))"
    if measure.field in ("hour", "day"):
        return hour_of("e") if measure.field == "hour" else day_of("e")
    return f"e.{measure.field}_id"


def hour_of(event: str) -> str:
    """Return SQL of the hour of an event (UTC)."""
    if connection.vendor == "postgresql":
        return f"EXTRACT(HOUR FROM {event}.occurred_at AT TIME ZONE 'UTC')"
    return f"CAST(strftime('%%H', {event}.occurred_at) AS INTEGER)"


def day_of(event: str) -> str:
    """Return SQL of the number of the day of an event (UTC)."""
    if connection.vendor == "postgresql":
        return f"(({event}.occurred_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01')"
    return f"CAST(julianday(substr({event}.occurred_at, 1, 10)) AS INTEGER)"


def _kinds(chosen: Chosen) -> str:
    return ", ".join(str(KIND_BY_CODE[code].value) for code in chosen.kinds)


def _matches(chosen: Chosen) -> tuple[str, list[Any]]:
    parts, params = [f"e.kind IN ({_kinds(chosen)})"], []
    for condition in chosen.where:
        sql, value = condition_sql(condition, "e")
        parts.append(sql)
        params.append(value)
    return " AND ".join(parts), params


def condition_sql(condition: Condition, event: str) -> tuple[str, Any]:
    """Return SQL of one condition with its value; an event without the field never matches."""
    compare = COMPARISONS[condition.op]
    if condition.field.startswith("data."):
        name = condition.field.removeprefix("data.")
        if condition.op in ("at_least", "at_most"):
            return f"({_data_number(name, event)}) {compare} %s", condition.value
        return f"{_data_text(name, event)} {compare} %s", str(condition.value)
    if condition.field == "hour":
        return f"{hour_of(event)} {compare} %s", condition.value
    if condition.field == "amount":
        return f"{event}.amount {compare} %s", condition.value
    column = f"{event}.{condition.field}"
    return f"({column} <> '' AND {column} {compare} %s)", str(condition.value)


def _data_text(name: str, event: str) -> str:
    """Return SQL of a text within the data of an event."""
    # The name was checked when the rules were read: letters, digits and underscores.
    if connection.vendor == "postgresql":
        return f"({event}.data ->> '{name}')"
    return f"CAST(json_extract({event}.data, '$.\"{name}\"') AS TEXT)"


def _data_number(name: str, event: str) -> str:
    """Return SQL of a number within the data of an event."""
    if connection.vendor == "postgresql":
        return (
            f"CASE WHEN jsonb_typeof({event}.data -> '{name}') = 'number' "
            f"THEN ({event}.data ->> '{name}')::numeric END"
        )
    path = f"'$.\"{name}\"'"
    return (
        f"CASE WHEN json_type({event}.data, {path}) IN ('integer', 'real') "
        f"THEN json_extract({event}.data, {path}) END"
    )
