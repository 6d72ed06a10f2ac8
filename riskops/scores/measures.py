"""From an account's facts to what each risk factor counts, since when, and until when it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from riskops.scores.aggregates import MeasureResult
from riskops.scores.rules import Automation, Ruleset
from riskops.scores.scoring import DAY, FOREVER, NEVER, SECOND, Ints

MINUTE = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Events:
    """Events inside a window: the row of their account, what, when and from which IP."""

    row: Ints
    kind: Ints
    at: Ints
    ip: Ints  # 0 when the event has none

    @classmethod
    def none(cls) -> Events:
        empty = np.zeros(0, dtype=np.int64)
        return cls(empty, empty, empty, empty)

    def only(self, mask: NDArray[np.bool_]) -> Events:
        return Events(self.row[mask], self.kind[mask], self.at[mask], self.ip[mask])


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of each account: one array a fact, one element an account."""

    account: Ints
    created_at: Ints
    verified_at: Ints
    two_factor_on_at: Ints
    two_factor_off_at: Ints
    last_report_at: Ints
    last_dispute_at: Ints
    actions: Ints
    trades: Ints
    anomalies: Ints
    anomaly_since: Ints
    last_anomaly_at: Ints
    proxy_ips: Ints
    proxy_since: Ints
    risky_logins: Ints
    risky_since: Ints
    fraud_permille: Ints
    fraud_since: Ints
    confirmed_fraud_at: Ints  # NEVER unless it counts
    first_purchase_at: Ints
    anomaly_points: Ints
    anomaly_points_since: Ints
    device_accounts: Ints
    device_since: Ints
    address_accounts: Ints
    address_since: Ints
    wallet_accounts: Ints
    wallet_since: Ints
    link_strength: Ints
    linked: Ints
    link_since: Ints
    suspected_permille: Ints
    suspected_since: Ints
    cluster_size: Ints
    cluster_fraud_permille: Ints
    cluster_since: Ints

    def __len__(self) -> int:
        return len(self.account)

    @classmethod
    def blank(cls, account: Ints, **columns: Ints) -> Facts:
        """Return facts of accounts of which nothing is known beyond the given columns."""
        times = {f.name for f in fields(cls) if f.name.endswith(("_at", "_since"))}
        return cls(
            account=account,
            **{
                f.name: columns.get(
                    f.name,
                    np.full(len(account), NEVER if f.name in times else 0, dtype=np.int64),
                )
                for f in fields(cls)
                if f.name != "account"
            },
        )


@dataclass(frozen=True, slots=True)
class KindNumbers:
    """The numbers under which the event log stores the kinds that are counted here."""

    login_failed: int
    wallet_connected: int
    content_reported: int
    dispute_opened: int
    refund: int
    chargeback: int
    actions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measures:
    """What was counted for each account and factor."""

    counts: Ints
    since: Ints
    # The next moment at which time alone can change a count; FOREVER when none does.
    changes_at: Ints


def measure(
    facts: Facts,
    recent: Events,
    rare: Events,
    ruleset: Ruleset,
    *,
    at: int,
    kinds: KindNumbers,
    measured: Mapping[str, MeasureResult] | None = None,
) -> Measures:
    """Return what every factor counts, at one moment, for all given accounts.

    `measured` holds what the factors that staff wrote came to.
    """
    board = FactorMatrix(len(facts), ruleset, at)
    _identity(board, facts, recent, rare, kinds)
    _velocity(board, facts, recent, kinds)
    board.window("content_reports", rare.only(rare.kind == kinds.content_reported))
    for code, kind in (
        ("disputes", kinds.dispute_opened),
        ("refunds", kinds.refund),
        ("chargebacks", kinds.chargeback),
    ):
        board.window(code, rare.only(rare.kind == kind))
    _others(board, facts)
    board.put("suspicious_transactions", facts.anomalies, facts.anomaly_since)
    board.put("linked_to_confirmed_fraud", facts.fraud_permille, facts.fraud_since)
    _trust(board, facts)
    for code, found in (measured or {}).items():
        board.put(code, found.count, found.since, found.changes_at)
    return Measures(board.counts, board.since, board.changes_at)


class FactorMatrix:
    """The matrices being filled, factor by factor."""

    def __init__(self, size: int, ruleset: Ruleset, at: int) -> None:
        self.size = size
        self.ruleset = ruleset
        self.at = at
        self.codes = ruleset.codes
        self.counts = np.zeros((size, len(self.codes)), dtype=np.int64)
        self.since = np.full((size, len(self.codes)), NEVER, dtype=np.int64)
        self.changes_at = np.full(size, FOREVER, dtype=np.int64)

    def put(self, code: str, count: Ints, since: Ints, changes_at: Ints | None = None) -> None:
        column = self.codes.index(code)
        self.counts[:, column] = count
        self.since[:, column] = np.where(count > 0, since, NEVER)
        if changes_at is not None and self.ruleset.factors[column].enabled:
            self.changes_at = np.minimum(self.changes_at, changes_at)

    def start(self, code: str) -> int:
        return self.at - self.ruleset.window(code) * SECOND

    def in_window(self, code: str, events: Events) -> Events:
        return events.only((events.at > self.start(code)) & (events.at <= self.at))

    def first(self, events: Events) -> Ints:
        first = np.full(self.size, FOREVER, dtype=np.int64)
        np.minimum.at(first, events.row, events.at)
        return first

    def window(self, code: str, events: Events) -> None:
        """Count the events of a factor's window."""
        inside = self.in_window(code, events)
        self.put_window(code, np.bincount(inside.row, minlength=self.size), self.first(inside))

    def put_window(self, code: str, count: Ints, first: Ints) -> None:
        """Store a windowed count, which may fall once its oldest part leaves the window."""
        length = self.ruleset.window(code) * SECOND
        leaves = np.where(count > 0, np.minimum(first, FOREVER - length) + length, FOREVER)
        self.put(code, count.astype(np.int64), first, leaves)


def _identity(
    board: FactorMatrix, facts: Facts, recent: Events, rare: Events, kinds: KindNumbers
) -> None:
    seen = board.in_window("many_ips", recent.only(recent.ip != 0))
    # A pair (account, IP) counts once however often it was seen.
    order = np.lexsort((seen.ip, seen.row))
    row, ip = seen.row[order], seen.ip[order]
    fresh = np.ones(len(row), dtype=bool)
    fresh[1:] = (row[1:] != row[:-1]) | (ip[1:] != ip[:-1])
    distinct = np.bincount(row[fresh], minlength=board.size)
    board.put_window("many_ips", distinct, board.first(seen))
    board.window("wallet_changes", rare.only(rare.kind == kinds.wallet_connected))
    board.put_window("proxy_ip", facts.proxy_ips, facts.proxy_since)
    board.put_window("high_risk_country", facts.risky_logins, facts.risky_since)


def _velocity(board: FactorMatrix, facts: Facts, recent: Events, kinds: KindNumbers) -> None:
    board.window("failed_logins", recent.only(recent.kind == kinds.login_failed))
    young = facts.created_at > board.start("new_account_burst")
    board.put_window("new_account_burst", np.where(young, facts.actions, 0), facts.created_at)
    actions = recent.only(np.isin(recent.kind, kinds.actions))
    inside = board.in_window("automation", actions)
    automatic = count_automated_actions(
        inside,
        board.size,
        board.ruleset.automation,
        at_least=board.ruleset.factor("automation").over + 1,
    )
    board.put_window("automation", automatic, board.first(inside))


def _others(board: FactorMatrix, facts: Facts) -> None:
    """Read what verdicts, anomalies, identifiers, links and clusters say."""
    fraud = (facts.confirmed_fraud_at != NEVER).astype(np.int64)
    board.put("confirmed_fraud", fraud, facts.confirmed_fraud_at)
    board.put("anomalies", facts.anomaly_points, facts.anomaly_points_since)
    board.put("shared_device", facts.device_accounts, facts.device_since)
    board.put("shared_address", facts.address_accounts, facts.address_since)
    board.put("shared_wallet", facts.wallet_accounts, facts.wallet_since)
    board.put("link_strength", facts.link_strength, facts.link_since)
    board.put("linked_accounts", facts.linked, facts.link_since)
    board.put("suspected_fraud_link", facts.suspected_permille, facts.suspected_since)
    board.put("cluster_size", facts.cluster_size, facts.cluster_since)
    board.put("cluster_fraud", facts.cluster_fraud_permille, facts.cluster_since)
    bought = facts.first_purchase_at
    waited = np.where(bought == NEVER, -1, bought - facts.created_at)
    # Within so many seconds: at the same moment is within one.
    board.put("quick_purchase", np.where(waited < 0, 0, waited // SECOND + 1), bought)


def _trust(board: FactorMatrix, facts: Facts) -> None:
    on = facts.two_factor_on_at > facts.two_factor_off_at
    board.put("two_factor", on.astype(np.int64), facts.two_factor_on_at)
    verified = facts.verified_at != NEVER
    board.put("verified", verified.astype(np.int64), facts.verified_at)
    days = np.maximum(board.at - facts.created_at, 0) // DAY
    board.put("account_age", days, facts.created_at, _next_age_step(board, facts, days))
    clean_from = np.maximum.reduce(
        [facts.created_at, facts.last_report_at, facts.last_dispute_at, facts.last_anomaly_at]
    )
    length = board.ruleset.window("clean_history") * SECOND
    clean = (clean_from <= board.at - length) & (facts.anomalies == 0)
    waiting = np.where(clean | (facts.anomalies > 0), FOREVER, clean_from + length)
    board.put("clean_history", clean.astype(np.int64), clean_from, waiting)
    board.put("completed_trades", facts.trades, facts.created_at)


def _next_age_step(board: FactorMatrix, facts: Facts, days: Ints) -> Ints:
    """When the age will next be worth another point, the account living on."""
    factor = board.ruleset.factor("account_age")
    size = abs(factor.points)
    if factor.mode == "steps":
        starts = np.array([low for low, _points in factor.steps] or [0], dtype=np.int64)
        place = np.searchsorted(starts, np.maximum(days, factor.over), side="right")
        following = np.append(starts, FOREVER // DAY)[place]
        return np.where(place < len(starts), facts.created_at + following * DAY, FOREVER)
    if factor.mode != "each" or not size:
        return np.where(
            days > factor.over, FOREVER, facts.created_at + np.int64(factor.over + 1) * DAY
        )
    per = factor.per
    worth = (2 * size * days + per) // (2 * per)
    next_days = -(-(2 * worth + 1) * per // (2 * size))
    step = facts.created_at + np.maximum(next_days, factor.over + 1) * DAY
    if factor.cap is not None:
        step = np.where(worth >= factor.cap, FOREVER, step)
    return step


def count_automated_actions(
    events: Events, size: int, limits: Automation, *, at_least: int
) -> Ints:
    """Return the number of actions of accounts that act like a machine, 0 for the others.

    Like a machine: gaps that are nearly all equal, or more actions in a minute than hands can do.
    """
    found = np.zeros(size, dtype=np.int64)
    number = np.bincount(events.row, minlength=size)
    busy = events.only(number[events.row] >= at_least)
    if not len(busy.row):
        return found
    order = np.lexsort((busy.at, busy.row))
    row, at = busy.row[order], busy.at[order]
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    owners = row[starts]
    lengths = np.diff(np.append(starts, len(row)))
    regular = _regular(at, starts, lengths, limits)
    hurried = _too_fast(row, at, starts, limits)
    found[owners] = np.where(regular | hurried, lengths, 0)
    return found


def _regular(at: Ints, starts: Ints, lengths: Ints, limits: Automation) -> NDArray[np.bool_]:
    # Milliseconds: within the longest window allowed the sum of squares fits 64 bits exactly.
    gaps = np.diff(at, prepend=at[0]) // 1000
    gaps[starts] = 0  # the step from one account to the next is nobody's gap
    total = np.add.reduceat(gaps, starts).astype(np.float64)
    squares = np.add.reduceat(gaps * gaps, starts).astype(np.float64)
    number = (lengths - 1).astype(np.float64)
    spread = limits.max_spread_percent / 100
    enough = number >= 2
    return enough & (number * squares - total * total <= spread * spread * total * total)


def _too_fast(row: Ints, at: Ints, starts: Ints, limits: Automation) -> NDArray[np.bool_]:
    """Return whether some action comes less than a minute after the one `max_per_minute` before."""
    reach = limits.max_per_minute
    hurried = np.zeros(len(row), dtype=np.int64)
    if len(row) > reach:
        close = (at[reach:] - at[:-reach] < MINUTE) & (row[reach:] == row[:-reach])
        hurried[reach:] = close
    return np.add.reduceat(hurried, starts) > 0
