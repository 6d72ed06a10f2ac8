"""Detectors that compare an account with its own past: hours, volumes."""

from __future__ import annotations

import numpy as np

from riskops.anomaly_windows import DAY, MINUTE, EventTable, Hit, Ints, Parameters, letters

HOUR = 60 * MINUTE
# Fewer days than this say nothing about what is usual; then the peers are asked.
ENOUGH = 8
# The factor that makes the median deviation of normal data a standard deviation.
NORMAL = 0.6745


def robust_z(value: float, history: Ints) -> float:
    """Distance from the median in robust deviations; a flat history counts a tenth of its level."""
    median = float(np.median(history))
    deviation = float(np.median(np.abs(history - median)))
    # With identical days before, any change would be infinitely far.
    deviation = max(deviation, abs(median) / 10, 1.0)
    return NORMAL * (value - median) / deviation


def unusual_hours(logins: EventTable, since: int, parameters: Parameters) -> list[Hit]:
    """Logins from `since` on at an hour that was rare among the account's logins before."""
    hour = (logins.at // HOUR) % 24
    reach = parameters["days"] * DAY
    hits = []
    starts = np.flatnonzero(np.diff(logins.account, prepend=-1) != 0)
    ends = np.append(starts, len(logins))[1:]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        for row in range(
            max(start, int(np.searchsorted(logins.at[start:end], since)) + start), end
        ):
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
    """Totals by account, currency and UTC day: four parallel columns."""
    events = events.only((events.amount != 0) & (events.currency != 0))
    day = events.at // DAY
    keys, inverse = np.unique(
        np.stack([events.account, events.currency, day]), axis=1, return_inverse=True
    )
    total = np.zeros(keys.shape[1], dtype=np.int64)
    np.add.at(total, inverse.reshape(-1), np.abs(events.amount))
    return keys[0], keys[1], keys[2], total


def big_days(events: EventTable, since: int, parameters: Parameters) -> Ints:
    """The accounts with a day, from `since` on, whose total is worth a look."""
    account, _, day, total = daily(events)
    return np.unique(account[(day >= since // DAY) & (total >= parameters["amount"])])


def volume_outliers(
    history: EventTable, peers: dict[tuple[int, int], Ints], since: int, parameters: Parameters
) -> list[Hit]:
    """Days whose total lies far from the account's days before, or from everybody's that day.

    `peers` holds, by day and currency, the totals of all accounts.
    """
    account, currency, day, total = daily(history)
    hits = []
    for row in np.flatnonzero((day >= since // DAY) & (total >= parameters["amount"])).tolist():
        mine = (account == account[row]) & (currency == currency[row]) & (day < day[row])
        before = total[mine & (day >= day[row] - parameters["days"])]
        compared = "own days"
        if len(before) < ENOUGH:
            before = peers.get((int(day[row]), int(currency[row])), before)
            compared = "peers"
        if len(before) < ENOUGH:
            continue
        z = robust_z(float(total[row]), before)
        if z * 10 >= parameters["tenths"]:
            hits.append(
                Hit(
                    account=int(account[row]),
                    at=int(day[row]) * DAY,
                    key=f"day:{int(day[row])}:{letters(int(currency[row]))}",
                    evidence={
                        "total": int(total[row]),
                        "currency": letters(int(currency[row])),
                        "median": int(np.median(before)),
                        "z": round(z, 1),
                        "compared_with": compared,
                    },
                )
            )
    return hits


def new_countries(
    account: Ints, country: Ints, first_seen: Ints, since: int, until: int, parameters: Parameters
) -> list[Hit]:
    """Countries first seen in the range on accounts that were known elsewhere before."""
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
