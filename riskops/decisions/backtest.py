"""What a rule would have done: its own statement run on the events of a past time."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from riskops.decisions.budget import OutOfTime, time_limit
from riskops.decisions.conditions import LEVEL, LIST, LISTS, MEASURE, RuleCondition
from riskops.decisions.rulebook import Rule
from riskops.decisions.sql import COLUMNS, EVENTS, Sql, asked, is_postgres, kinds_match, measure
from riskops.errors import BacktestTooSlow
from riskops.models import (
    AccountFacts,
    Identifier,
    IdentifierKind,
    ListEntry,
    RiskScoreHistory,
)
from riskops.scores.neighbours import GUILTY
from systemadmin.models import User

FACTS = AccountFacts._meta.db_table
HISTORY = RiskScoreHistory._meta.db_table
USERS = User._meta.db_table
SAMPLES = 20
DAYS = 30
# How long a page waits for the answer.
PATIENCE = 25.0
SCORES = ("score", LEVEL)
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Total:
    """Matched events in one currency."""

    currency: str
    events: int
    amount: int


@dataclass(slots=True)
class Backtest:
    """What a rule would have matched among the events of a time."""

    start: datetime
    end: datetime
    events: int = 0
    matched: int = 0
    accounts: int = 0
    # Of accounts that are known by now to be fraud, or to be legitimate.
    fraud_events: int = 0
    fraud_accounts: int = 0
    good_events: int = 0
    good_accounts: int = 0
    # Accounts known to be fraud among all whose events were looked at.
    known_fraud: int = 0
    totals: list[Total] = field(default_factory=list)
    days: list[tuple[str, int]] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """Share of fraud among the matched accounts whose truth is known."""
        judged = self.fraud_accounts + self.good_accounts
        return self.fraud_accounts / judged if judged else None

    @property
    def recall(self) -> float | None:
        """Share of the accounts known to be fraud that were matched."""
        return self.fraud_accounts / self.known_fraud if self.known_fraud else None


def backtest(
    rule: Rule, *, start: datetime, end: datetime, seconds: float | None = None
) -> Backtest:
    """Return what a rule would have matched from `start` to before `end`.

    Scores are those of that time and measures count up to each event; the lists are as they are
    now. Raises `BacktestTooSlow` when it takes longer than `seconds`.
    """
    if seconds is None:
        return _run(rule, start, end)
    try:
        with transaction.atomic(), time_limit(seconds):
            return _run(rule, start, end)
    except (DatabaseError, OutOfTime) as error:
        raise BacktestTooSlow from error


def _run(rule: Rule, start: datetime, end: datetime) -> Backtest:
    sql = _statement(rule, start, end)
    params = [
        connection.ops.adapt_datetimefield_value(v) if isinstance(v, datetime) else v
        for v in sql.params
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql.text, params)
        rows = cursor.fetchall()
    return _read(rows, Backtest(start, end))


def _read(rows: Rows, found: Backtest) -> Backtest:
    for what, name, one, two, three, four in rows:
        counts = (one, two or 0, three or 0)
        if what == "looked":
            found.events, found.known_fraud = one, two
        elif what == "all":
            found.matched, found.fraud_events, found.good_events = counts
        elif what == "accounts":
            found.accounts, found.fraud_accounts, found.good_accounts = counts
        elif what == "currency":
            found.totals.append(Total(name, one, int(four)))
        elif what == "day":
            found.days.append((name, one))
        else:
            found.samples.append(one)
    found.totals.sort(key=lambda total: -total.events)
    found.days.sort()
    return found


# -- the statement -----------------------------------------------------------------


def _statement(rule: Rule, start: datetime, end: datetime) -> Sql:
    """One statement: cheap conditions narrow the events before scores and measures are asked."""
    cheap = [one for one in rule.conditions if one.field not in (MEASURE, *SCORES)]
    dear = [one for one in rule.conditions if one.field in (MEASURE, *SCORES)]
    inside = Sql("e.occurred_at >= %s AND e.occurred_at < %s", [start, end])
    looked = [inside, kinds_match(rule.kinds)]
    narrow = Sql.all_of([*looked, *(_cheap(one) for one in cheap)])
    columns = ", ".join(f"e.{name}" for name, _type in COLUMNS)
    joined = any(one.field == "account_age" for one in cheap)
    asked_columns, hits = _dear(dear)
    hint = "MATERIALIZED " if is_postgres() else ""
    guilty, good = _truth()
    text = (
        f"WITH c AS {hint}(SELECT {columns} FROM {_source(joined)} WHERE {narrow.text}), "  # noqa: S608
        f"h AS {hint}(SELECT e.id, e.account_id, e.occurred_at, e.amount, e.currency, "
        f"{guilty} AS guilty, {good} AS good "
        f"FROM (SELECT e.*{asked_columns.text} FROM c AS e) AS e "
        f"LEFT JOIN {FACTS} AS f ON f.account_id = e.account_id WHERE {hits.text}) "
        f"{_figures(_looked(looked))}"
    )
    params = [*narrow.params, *asked_columns.params, *hits.params]
    return Sql(text, [*params, *[v for part in looked for v in part.params] * 2])


def _source(joined: bool) -> str:
    if not joined:
        return f"{EVENTS} AS e"
    return (
        f"(SELECT e.*, u.date_joined AS joined_at FROM {EVENTS} AS e "  # noqa: S608
        f"JOIN {USERS} AS u ON u.id = e.account_id) AS e"
    )


def _truth() -> tuple[str, str]:
    guilty = f"CASE WHEN {GUILTY} THEN 1 ELSE 0 END"
    known = "f.confirmed_legitimate_at IS NOT NULL"
    return guilty, f"CASE WHEN {known} AND NOT ({GUILTY}) THEN 1 ELSE 0 END"


def _looked(parts: Sequence[Sql]) -> str:
    where = Sql.all_of(parts).text
    fraud = (
        f"(SELECT COUNT(*) FROM {FACTS} AS f WHERE {GUILTY} AND EXISTS "  # noqa: S608
        f"(SELECT 1 FROM {EVENTS} AS e WHERE e.account_id = f.account_id AND {where}))"
    )
    # The count of the events comes after: its values are bound second.
    return (
        f"SELECT 'looked' AS what, '' AS name, (SELECT COUNT(*) FROM {EVENTS} AS e "  # noqa: S608
        f"WHERE {where}) AS one, {fraud} AS two, 0 AS three, 0 AS four"
    )


def _figures(looked: str) -> str:
    day = _day("occurred_at")
    return (
        f"{looked} "  # noqa: S608
        "UNION ALL SELECT 'all', '', COUNT(*), SUM(guilty), SUM(good), 0 FROM h "
        "UNION ALL SELECT 'accounts', '', COUNT(*), SUM(guilty), SUM(good), 0 FROM "
        "(SELECT account_id, MAX(guilty) AS guilty, MAX(good) AS good FROM h "
        "GROUP BY account_id) AS a "
        "UNION ALL SELECT 'currency', currency, COUNT(*), 0, 0, SUM(amount) FROM h "
        "WHERE amount IS NOT NULL GROUP BY currency "
        f"UNION ALL SELECT 'day', {day}, COUNT(*), 0, 0, 0 FROM h GROUP BY {day} "
        "UNION ALL SELECT * FROM (SELECT 'sample', '', id, 0, 0, 0 FROM h "
        f"ORDER BY occurred_at DESC, id DESC LIMIT {SAMPLES}) AS s"
    )


def _day(column: str) -> str:
    if is_postgres():
        return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    return f"substr({column}, 1, 10)"


def _dear(conditions: Sequence[RuleCondition]) -> tuple[Sql, Sql]:
    """Return columns for scores and measures, and the condition on them."""
    columns, hits = [], []
    for number, one in enumerate(conditions):
        name = one.field if one.field in SCORES else f"m{number}"
        if one.measure is not None:
            counted = measure(one.measure, one.window)
            columns.append(Sql(f", {counted.text} AS {name}", counted.params))
        elif name not in [c.text.rpartition(" AS ")[2] for c in columns]:
            columns.append(Sql(f", {_score_then(name)} AS {name}"))
        hits.append(asked(one, f"e.{name}"))
    text = "".join(one.text for one in columns)
    return Sql(text, [v for one in columns for v in one.params]), Sql.all_of(hits)


def _score_then(name: str) -> str:
    """Return the score or level that counted at the moment of the event, 0 before the first."""
    return (
        f"COALESCE((SELECT s.{name} FROM {HISTORY} AS s WHERE s.account_id = e.account_id "  # noqa: S608
        "AND s.at <= e.occurred_at ORDER BY s.id DESC LIMIT 1), 0)"
    )


# -- lists -------------------------------------------------------------------------


def _cheap(one: RuleCondition) -> Sql:
    if one.field != LIST:
        return asked(one)
    found = _on_list(str(one.value))
    return found if one.op == "is" else Sql(f"NOT ({found.text})", found.params)


def _on_list(name: str) -> Sql:
    if name not in LISTS:
        return Sql("1 = 0")
    entries: dict[str, list[str]] = {}
    rows = ListEntry.objects.in_force(timezone.now()).filter(list=name)
    for kind, value in rows.values_list("kind", "value"):
        entries.setdefault(kind, []).append(value)
    parts = [
        _in("e.account_id", map(int, entries.get("account", []))),
        _in("e.ip_id", _addresses(entries.get("address", []))),
        _in("e.device_id", _numbers(IdentifierKind.DEVICE, entries.get("device", []))),
        *(
            _in(f"e.{column}", _numbers(IdentifierKind.WALLET, entries.get("wallet", [])))
            for column in ("wallet_id", "counterparty_wallet_id")
        ),
        _in(_data("card"), entries.get("card", [])),
        *_mails(entries.get("email", []), entries.get("domain", [])),
    ]
    told = [part for part in parts if part is not None]
    if not told:
        return Sql("1 = 0")
    text = " OR ".join(f"COALESCE({part.text}, {_false()})" for part in told)
    return Sql(f"({text})", [value for part in told for value in part.params])


def _false() -> str:
    return "false" if is_postgres() else "0"


def _data(name: str) -> str:
    return f"(e.data ->> '{name}')" if is_postgres() else f"json_extract(e.data, '$.{name}')"


def _in(column: str, values: Iterable[Any]) -> Sql | None:
    found = sorted(set(values))
    if not found:
        return None
    marks = ", ".join(["%s"] * len(found))
    return Sql(f"{column} IN ({marks})", found)


def _numbers(kind: str, values: Sequence[str]) -> list[int]:
    rows = Identifier.objects.filter(kind=kind, value__in=values)
    return list(rows.values_list("pk", flat=True)) if values else []


def _addresses(cidrs: Sequence[str]) -> list[int]:
    """Return numbers of the known addresses within networks."""
    networks = [ipaddress.ip_network(cidr) for cidr in cidrs]
    single = [str(n.network_address) for n in networks if n.num_addresses == 1]
    wide = [n for n in networks if n.num_addresses > 1]
    found = _numbers(IdentifierKind.IP, single)
    if wide:
        rows = Identifier.objects.filter(kind=IdentifierKind.IP).values_list("pk", "value")
        found += [
            pk
            for pk, value in rows.iterator(chunk_size=10_000)
            if any(ipaddress.ip_address(value) in network for network in wide)
        ]
    return found


def _mails(emails: Sequence[str], domains: Sequence[str]) -> list[Sql | None]:
    own = f"e.account_id IN (SELECT u.id FROM {USERS} AS u WHERE "  # noqa: S608
    told = f"LOWER({_data('email')})"
    parts: list[Sql | None] = [_in(told, emails)]
    if emails:
        listed = _in("LOWER(u.email)", emails)
        parts.append(Sql(f"{own}{listed.text})", listed.params) if listed else None)
    for domain in domains:
        for column, head, tail in (("LOWER(u.email)", own, ")"), (told, "", "")):
            text = f"{head}({column} LIKE %s OR {column} LIKE %s){tail}"
            parts.append(Sql(text, [f"%@{domain}", f"%.{domain}"]))
    return parts
