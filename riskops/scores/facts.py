"""Everything the score of some accounts is made of, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection

from riskops.account_sets import Accounts
from riskops.columns import Read, fetch, moment
from riskops.errors import LogTooShort
from riskops.ingest.kept_facts import FACTS, PASSIVE_KINDS
from riskops.models import (
    AccountCountry,
    AccountEvent,
    AccountFacts,
    EventKind,
    EventSum,
    Identifier,
    RiskOverride,
    RiskScore,
    Sighting,
    SumAspect,
)
from riskops.models.events import ACTION_KINDS, RARE_KINDS
from riskops.scores import neighbours, sharing
from riskops.scores.aggregates import MeasureResult
from riskops.scores.factors import FREQUENT_EVENT_FACTORS
from riskops.scores.factors import RARE_EVENT_FACTORS as RARE_CODES
from riskops.scores.measures import Events, Facts, KindNumbers
from riskops.scores.rules import Ruleset
from riskops.scores.scoring import NEVER, SECOND, Ints
from riskops.scores.written_factors import read_measured
from systemadmin.models import User

EVENTS = AccountEvent._meta.db_table
FACTS_TABLE = AccountFacts._meta.db_table
SCORES = RiskScore._meta.db_table
OVERRIDES = RiskOverride._meta.db_table
IDENTIFIERS = Identifier._meta.db_table
SIGHTINGS = Sighting._meta.db_table
SUMS = EventSum._meta.db_table
COUNTRIES = AccountCountry._meta.db_table
USERS = User._meta.db_table

KINDS = KindNumbers(
    login_failed=EventKind.LOGIN_FAILED.value,
    wallet_connected=EventKind.WALLET_CONNECTED.value,
    content_reported=EventKind.CONTENT_REPORTED.value,
    dispute_opened=EventKind.DISPUTE_OPENED.value,
    refund=EventKind.REFUND.value,
    chargeback=EventKind.CHARGEBACK.value,
    actions=tuple(kind.value for kind in ACTION_KINDS),
)
PASSIVE = ", ".join(str(kind.value) for kind in sorted(PASSIVE_KINDS))
RARE = ", ".join(str(kind.value) for kind in RARE_KINDS)

BASE = (
    Read("account", "u.id"),
    moment("created_at", "COALESCE(f.account_created_at, u.date_joined)"),
    moment("verified_at", "f.verified_at"),
    moment("two_factor_on_at", "f.two_factor_enabled_at"),
    moment("two_factor_off_at", "f.two_factor_disabled_at"),
    moment("last_report_at", "f.last_report_at"),
    moment("last_dispute_at", "f.last_dispute_at"),
    moment("confirmed_fraud_at", f"CASE WHEN {neighbours.GUILTY} THEN f.confirmed_fraud_at END"),
    moment("first_purchase_at", "f.first_purchase_at"),
    Read("actions", "f.transfers + f.purchases + f.sales + f.posts + f.messages + f.follows"),
    # A refunded trade is not a completed one.
    Read(
        "trades",
        "CASE WHEN f.purchases + f.sales > f.refunds"
        " THEN f.purchases + f.sales - f.refunds ELSE 0 END",
    ),
)
STATE = (
    Read("raw", "s.raw"),
    Read("computed", "s.computed", missing=-1),
    Read("standing", "s.standing", missing=-1),
    moment("hold_until", "s.hold_until"),
    Read("score", "s.score", missing=-1),
    Read("level", "s.level", missing=-1),
    Read("ruleset", "s.ruleset_id"),
    Read("fingerprint", "s.fingerprint"),
    moment("changes_at", "s.changes_at"),
    Read("version", "s.version"),
    Read("stored_override", "s.override_id"),
    Read("override", "o.id"),
    Read("override_score", "o.score", missing=-1),
    moment("override_expires_at", "o.expires_at"),
)


@dataclass(frozen=True, slots=True)
class ScoringInput:
    """The facts and windows of some accounts, and the score they have so far."""

    facts: Facts
    recent: Events
    rare: Events
    state: dict[str, Ints]
    # What the factors that staff wrote came to.
    measured: dict[str, MeasureResult]


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


def from_micros(micros: int) -> datetime | None:
    """Return the moment of that many microseconds since 1970; None for NEVER."""
    if micros == NEVER:
        return None
    seconds, rest = divmod(micros, SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def read_dossier(
    accounts: Accounts, ruleset: Ruleset, *, at: datetime, from_log: bool = False
) -> ScoringInput:
    """Read what scoring needs; `from_log` derives the facts of that moment from the event log."""
    base = _base_from_log(accounts, at) if from_log else _base(accounts)
    ids = base["account"]
    extra = _findings(ids, accounts, sharing.read_shared(accounts, at if from_log else None))
    extra |= _proxies(ids, accounts, ruleset, at)
    extra |= _risky_logins(ids, accounts, ruleset, at)
    names = {column.name for column in BASE}
    return ScoringInput(
        facts=Facts(**{name: base[name] for name in names}, **extra),
        recent=_recent(ids, accounts, ruleset, at),
        rare=_rare(ids, accounts, ruleset, at),
        state={column.name: base[column.name] for column in STATE},
        measured=read_measured(ids, accounts, ruleset, at=at, at_micros=to_micros(at)),
    )


def reads_alike(one: Ruleset, other: Ruleset) -> bool:
    """Return whether what is read for one ruleset scores by the other too: only points differ."""
    return _looked_at(one) == _looked_at(other)


def _looked_at(ruleset: Ruleset) -> Any:
    factors = {f.code: (f.window, f.enabled, f.measure) for f in ruleset.factors}
    return factors, ruleset.high_risk_countries


def _standing(accounts: Accounts) -> tuple[str, list[Any]]:
    """Return SQL joining the scores and overrides of some accounts (`u`).

    The accounts are named to the joined table too: a range is not carried through an outer join,
    and each chunk of a recompute would read the rows of everyone.
    """
    scores, params = accounts.sql("s.account_id")
    joins = (
        f"LEFT JOIN {SCORES} AS s ON s.account_id = u.id AND {scores} "
        f"LEFT JOIN {OVERRIDES} AS o ON o.account_id = u.id AND o.ended_at IS NULL"
    )
    return joins, params


def _base(accounts: Accounts) -> dict[str, Ints]:
    where, params = accounts.sql("u.id")
    facts, facts_params = accounts.sql("f.account_id")  # for the same reason
    standing, standing_params = _standing(accounts)
    tail = (
        f"FROM {USERS} AS u LEFT JOIN {FACTS_TABLE} AS f ON f.account_id = u.id AND {facts} "
        f"{standing} WHERE {where} ORDER BY u.id"
    )
    return fetch((*BASE, *STATE), tail, [*facts_params, *standing_params, *params])


def derived_facts(accounts: Accounts, at: datetime | None) -> tuple[str, list[Any]]:
    """Return SQL of the facts as log and sums of deleted events give them, one row an account.

    Raises `LogTooShort` when events from after the moment are only kept as sums.
    """
    where, params = accounts.sql("l.account_id")
    until = ""
    if at is not None:
        _check_log_reaches(accounts, at)
        until = " AND l.occurred_at <= %s"
    log = (
        "SELECT l.account_id, l.kind, 1 AS number, l.occurred_at AS first_at, "  # noqa: S608
        f"l.occurred_at AS last_at FROM {EVENTS} AS l WHERE {where}{until}"
    )
    sums = (
        "SELECT l.account_id, l.subject, l.number, l.first_at, l.last_at "  # noqa: S608
        f"FROM {SUMS} AS l WHERE l.aspect = {SumAspect.KIND} AND {where}"
    )
    columns = ["e.account_id"]
    for fact in FACTS:
        chosen = "" if fact.kind is None else f" FILTER (WHERE e.kind = {fact.kind.value})"
        call = {
            "count": f"COALESCE(SUM(e.number){chosen}, 0)",
            "first": f"MIN(e.first_at){chosen}",
            "last": f"MAX(e.last_at){chosen}",
        }
        columns.append(f"{call[fact.how]} AS {fact.column}")
    sql = (
        f"SELECT {', '.join(columns)} FROM ({log} UNION ALL {sums}) AS e "  # noqa: S608
        "GROUP BY e.account_id"
    )
    bound = params if at is None else [*params, at]
    return sql, [*bound, *params]


def _check_log_reaches(accounts: Accounts, at: datetime) -> None:
    later = EventSum.objects.filter(accounts.q("account_id"), aspect=SumAspect.KIND, last_at__gt=at)
    if later.exists():
        raise LogTooShort


def accounts_with_wrong_facts() -> int:
    """Return how many accounts' stored facts differ from what the event log adds up to."""
    derived, params = derived_facts(Accounts(0, 2**63 - 1), None)
    names = ", ".join(("account_id", *(fact.column for fact in FACTS)))
    stored, true = f"SELECT {names} FROM {FACTS_TABLE}", f"SELECT {names} FROM derived"  # noqa: S608
    sql = (
        f"WITH derived AS ({derived}) SELECT COUNT(DISTINCT account_id) FROM ("  # noqa: S608
        f"SELECT * FROM ({stored} EXCEPT {true}) AS more UNION ALL "
        f"SELECT * FROM ({true} EXCEPT {stored}) AS less) AS wrong"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.fetchone()[0])


def _base_from_log(accounts: Accounts, at: datetime) -> dict[str, Ints]:
    derived, derived_params = derived_facts(accounts, at)
    where, params = accounts.sql("u.id")
    standing, standing_params = _standing(accounts)
    tail = (
        f"FROM {USERS} AS u LEFT JOIN f ON f.account_id = u.id {standing} "
        f"WHERE {where} AND COALESCE(f.account_created_at, u.date_joined) <= %s ORDER BY u.id"
    )
    bound = [*derived_params, *standing_params, *params, at]
    return fetch((*BASE, *STATE), tail, bound, head=f"WITH f AS ({derived})")


def _rows_of(ids: Ints, accounts: Ints) -> tuple[Ints, np.ndarray]:
    """Return the row of each account, and which of them have one."""
    if not len(ids):
        return np.zeros(0, dtype=np.int64), np.zeros(len(accounts), dtype=bool)
    rows = np.minimum(np.searchsorted(ids, accounts), len(ids) - 1)
    return rows, ids[rows] == accounts


def _events(ids: Ints, found: dict[str, Ints]) -> Events:
    rows, known = _rows_of(ids, found["account"])
    if not len(ids):
        return Events.none()
    return Events(rows, found["kind"], found["at"], found["ip"]).only(known)


def _window_start(ruleset: Ruleset, codes: Sequence[str], at: datetime) -> datetime | None:
    """Return the start of the longest window among the enabled factors, None when all are off."""
    lengths = [ruleset.window(c) for c in codes if ruleset.factor(c).enabled]
    if not lengths:
        return None
    return from_micros(to_micros(at) - max(lengths) * SECOND)


def _read_events(
    ids: Ints, accounts: Accounts, start: datetime, at: datetime, *, ip: str, only: str = ""
) -> Events:
    where, params = accounts.sql("e.account_id")
    columns = (
        Read("account", "e.account_id"),
        Read("kind", "e.kind"),
        moment("at", "e.occurred_at"),
        Read("ip", ip),
    )
    tail = f"FROM {EVENTS} AS e WHERE e.occurred_at > %s AND e.occurred_at <= %s AND {where}{only}"
    return _events(ids, fetch(columns, tail, [start, at, *params]))


def _recent(ids: Ints, accounts: Accounts, ruleset: Ruleset, at: datetime) -> Events:
    start = _window_start(ruleset, sorted(FREQUENT_EVENT_FACTORS), at)
    if start is None:
        return Events.none()
    # An address of someone trying passwords is not the account's.
    ip = f"CASE WHEN e.kind IN ({PASSIVE}) THEN 0 ELSE e.ip_id END"
    return _read_events(ids, accounts, start, at, ip=ip)


def _rare(ids: Ints, accounts: Accounts, ruleset: Ruleset, at: datetime) -> Events:
    start = _window_start(ruleset, RARE_CODES, at)
    if start is None:
        return Events.none()
    only = f" AND e.kind IN ({RARE})"
    return _read_events(ids, accounts, start, at, ip="0", only=only)


def _findings(ids: Ints, accounts: Accounts, shared: sharing.Columns) -> dict[str, Ints]:
    """Return what anomalies, identifiers, links and clusters say, one element an account."""
    columns: dict[str, Ints] = {}
    for found in (
        neighbours.open_anomalies(accounts),
        neighbours.fraud_neighbours(accounts),
        neighbours.likely_links(accounts),
        neighbours.cluster_of(accounts),
        shared,
    ):
        columns |= _spread(ids, found)
    return columns


def _spread(ids: Ints, found: dict[str, Ints]) -> dict[str, Ints]:
    """Lay columns that some accounts have over all of them."""
    rows, known = _rows_of(ids, found["account"])
    columns = {}
    for name, values in found.items():
        if name != "account":
            missing = NEVER if name.endswith(("_at", "_since")) else 0
            column = np.full(len(ids), missing, dtype=np.int64)
            column[rows[known]] = values[known]
            columns[name] = column
    return columns


def _counted(ids: Ints, found: dict[str, Ints], prefix: str) -> dict[str, Ints]:
    rows, known = _rows_of(ids, found["account"])
    count = np.zeros(len(ids), dtype=np.int64)
    since = np.full(len(ids), NEVER, dtype=np.int64)
    count[rows[known]] = found["count"][known]
    since[rows[known]] = found["since"][known]
    names = {"proxy": "proxy_ips", "risky": "risky_logins"}
    return {names[prefix]: count, f"{prefix}_since": since}


def _nothing(ids: Ints, prefix: str) -> dict[str, Ints]:
    empty = np.zeros(0, dtype=np.int64)
    return _counted(ids, {"account": empty, "count": empty, "since": empty}, prefix)


def _proxies(ids: Ints, accounts: Accounts, ruleset: Ruleset, at: datetime) -> dict[str, Ints]:
    start = _window_start(ruleset, ("proxy_ip",), at)
    if start is None:
        return _nothing(ids, "proxy")
    where, params = accounts.sql("g.account_id")
    columns = (
        Read("account", "g.account_id"),
        Read("count", "COUNT(*)"),
        moment("since", "MIN(g.last_seen)"),
    )
    tail = (
        f"FROM {IDENTIFIERS} AS i JOIN {SIGHTINGS} AS g ON g.identifier_id = i.id "
        f"WHERE i.listing <> '' AND g.last_seen > %s AND g.first_seen <= %s AND {where} "
        "GROUP BY g.account_id"
    )
    return _counted(ids, fetch(columns, tail, [start, at, *params]), "proxy")


def _risky_logins(ids: Ints, accounts: Accounts, ruleset: Ruleset, at: datetime) -> dict[str, Ints]:
    start = _window_start(ruleset, ("high_risk_country",), at)
    if start is None or not ruleset.high_risk_countries:
        return _nothing(ids, "risky")
    where, params = accounts.sql("c.account_id")
    columns = (
        Read("account", "c.account_id"),
        Read("count", "COUNT(*)"),
        moment("since", "MIN(c.last_seen)"),
    )
    marks = ", ".join(["%s"] * len(ruleset.high_risk_countries))
    tail = (
        f"FROM {COUNTRIES} AS c WHERE c.country IN ({marks}) "
        f"AND c.last_seen > %s AND c.first_seen <= %s AND {where} GROUP BY c.account_id"
    )
    found = fetch(columns, tail, [*ruleset.high_risk_countries, start, at, *params])
    return _counted(ids, found, "risky")
