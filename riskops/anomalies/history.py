"""Detectors that compare an account with its own past: hours, volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from riskops.anomalies.windows import (
    DAY,
    MINUTE,
    Bools,
    EventTable,
    Hit,
    Ints,
    Parameters,
    letters,
)

HOUR = 60 * MINUTE
# Fewer days than this say nothing about what is usual; then the peers are asked.
ENOUGH = 8
# The factor that makes the median deviation of normal data a standard deviation.
NORMAL = 0.6745


class Level(NamedTuple):
    """What is usual: the median of some totals and their robust deviation."""

    median: float
    deviation: float

    def z(self, value: float) -> float:
        """Return distance of a value from the median in robust deviations."""
        return NORMAL * (value - self.median) / self.deviation


def level(totals: Ints) -> Level | None:
    """Return the level of enough totals; a flat history has a tenth of its level as deviation."""
    if len(totals) < ENOUGH:
        return None
    median = float(np.median(totals))
    deviation = float(np.median(np.abs(totals - median)))
    # With identical days before, any change would be infinitely far.
    return Level(median, max(deviation, abs(median) / 10, 1.0))


# The level of everybody's totals by day and currency, for the days asked for.
Peers = Callable[[Iterable[int]], Mapping[tuple[int, int], Level]]


def unusual_hours(logins: EventTable, since: int, parameters: Parameters) -> list[Hit]:
    """Return logins from `since` on at an hour that was rare among the account's logins before."""
    hour = (logins.at // HOUR) % 24
    reach = parameters["days"] * DAY
    hits = []
    starts = np.flatnonzero(_changes(logins.account))
    ends = np.append(starts, len(logins))[1:]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        new = start + int(np.searchsorted(logins.at[start:end], since))
        for row in range(max(new, start + parameters["logins"]), end):
            first = start + int(np.searchsorted(logins.at[start:row], logins.at[row] - reach))
            before = hour[first:row]
            if len(before) < parameters["logins"]:
                continue
            # An hour to either side is still the same habit.
            apart = np.abs(before - hour[row])
            near = int((np.minimum(apart, 24 - apart) <= 1).sum())
            if near * 1000 <= parameters["permille"] * len(before):
                hits.append(
                    Hit(
                        account=int(logins.account[row]),
                        at=int(logins.at[row]),
                        key=f"event:{int(logins.id[row])}",
                        evidence={
                            "hour": int(hour[row]),
                            "logins_near_that_hour": near,
                            "logins": len(before),
                        },
                    )
                )
    return hits


def daily(events: EventTable) -> tuple[Ints, Ints, Ints, Ints]:
    """Return totals by account, currency and UTC day: four parallel columns, sorted by these."""
    events = events.only((events.amount != 0) & (events.currency != 0))
    day = events.at // DAY
    order = np.lexsort((day, events.currency, events.account))
    account, currency, day = events.account[order], events.currency[order], day[order]
    first = np.flatnonzero(_changes(account) | _changes(currency) | _changes(day))
    if not len(first):
        return account, currency, day, day
    total = np.add.reduceat(np.abs(events.amount[order]), first)
    return account[first], currency[first], day[first], total


def _changes(values: Ints) -> Bools:
    """Where a value differs from the one before; the first always does."""
    return np.diff(values, prepend=-1) != 0


def daily_levels(currency: Ints, day: Ints, total: Ints) -> dict[tuple[int, int], Level]:
    """Return the level of the totals of many accounts, by day and currency, where there is one."""
    order = np.lexsort((currency, day))
    currency, day, total = currency[order], day[order], total[order]
    first = np.flatnonzero(_changes(day) | _changes(currency))
    levels = {
        (int(day[low]), int(currency[low])): level(total[low:high])
        for low, high in zip(first.tolist(), [*first[1:].tolist(), len(total)], strict=False)
    }
    return {key: found for key, found in levels.items() if found is not None}


class DayBound(NamedTuple):
    """What some day of an account must hold for a rule about amounts to strike."""

    total: int | None = None
    # Or an amount from the first to below the second.
    near: tuple[int, int] | None = None


def day_bound(detector: str, parameters: Parameters) -> DayBound | None:
    """Return the bound of a detector; None for one that is not about amounts."""
    if detector == "volume_outlier":
        return DayBound(total=parameters["amount"])
    if detector == "transaction_total":
        # A window that reaches the amount has a day with its share of it.
        days = -(-parameters["minutes"] * MINUTE // DAY) + 1
        return DayBound(total=-(-parameters["amount"] // days))
    if detector == "structuring":
        least = -(-parameters["threshold"] * parameters["percent"] // 100)
        return DayBound(near=(least, parameters["threshold"]))
    return None


def big_days(events: EventTable, since: int, parameters: Parameters) -> Ints:
    """Return the accounts with a day, from `since` on, whose total is worth a look."""
    account, _, day, total = daily(events)
    return np.unique(account[(day >= since // DAY) & (total >= parameters["amount"])])


def volume_outliers(
    history: EventTable, peers: Peers, since: int, parameters: Parameters
) -> list[Hit]:
    """Return days whose total is far from the account's days before, or everybody's that day.

    `peers` gives, for the days asked for, the level of all accounts by day and currency.
    """
    account, currency, day, total = daily(history)
    rows = np.flatnonzero((day >= since // DAY) & (total >= parameters["amount"])).tolist()
    own = _own_levels(account, currency, day, total, rows, parameters["days"])
    strangers = [row for row in rows if own[row] is None]
    everybody = peers(day[strangers].tolist()) if strangers else {}
    hits = []
    for row in rows:
        usual = own[row] or everybody.get((int(day[row]), int(currency[row])))
        z = usual.z(float(total[row])) if usual else -np.inf
        if usual and z * 10 >= parameters["tenths"]:
            hits.append(
                Hit(
                    account=int(account[row]),
                    at=int(day[row]) * DAY,
                    key=f"day:{int(day[row])}:{letters(int(currency[row]))}",
                    evidence={
                        "total": int(total[row]),
                        "currency": letters(int(currency[row])),
                        "median": int(usual.median),
                        "z": round(z, 1),
                        "compared_with": "own days" if own[row] else "peers",
                    },
                )
            )
    return hits


def _own_levels(
    account: Ints, currency: Ints, day: Ints, total: Ints, rows: list[int], reach: int
) -> dict[int, Level | None]:
    """For each row the level of the account's days before it, as far as they reach back."""
    first = np.flatnonzero(_changes(account) | _changes(currency))
    found = {}
    for row in rows:
        low = int(first[np.searchsorted(first, row, side="right") - 1])
        low += int(np.searchsorted(day[low:row], day[row] - reach))
        found[row] = level(total[low:row])
    return found


def new_countries(
    account: Ints, country: Ints, first_seen: Ints, since: int, until: int, parameters: Parameters
) -> list[Hit]:
    """Return countries first seen in the range on accounts that were known elsewhere before."""
    known_since = np.full(len(account), np.iinfo(np.int64).max)
    people, number = np.unique(account, return_inverse=True)
    earliest = np.full(len(people), np.iinfo(np.int64).max)
    np.minimum.at(earliest, number, first_seen)
    known_since = earliest[number]
    old = first_seen - known_since > max(parameters["days"] * DAY, 0)
    rows = np.flatnonzero(old & (first_seen >= since) & (first_seen < until))
    return [
        Hit(
            account=int(account[row]),
            at=int(first_seen[row]),
            key=f"country:{letters(int(country[row]))}",
            evidence={
                "country": letters(int(country[row])),
                "known_since": int(known_since[row]),
            },
        )
        for row in rows.tolist()
    ]
