"""Detectors over short windows: bursts, totals, structuring, devices, repeated content.

Each takes events sorted by account and time and reports the event at which its condition
becomes true. Nothing but the events decides that, so it does not matter in which pieces or
how often the log is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
MINUTE = 60_000_000  # times are whole microseconds since 1970
DAY = 24 * 60 * MINUTE

Parameters = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events of some accounts: parallel columns, sorted by account, time and id."""

    id: Ints
    account: Ints
    kind: Ints
    at: Ints
    amount: Ints
    currency: Ints  # three letters as a number
    country: Ints  # two letters as a number, 0 for none
    ip: Ints
    device: Ints

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def sorted(cls, columns: Mapping[str, Ints]) -> EventTable:
        order = np.lexsort((columns["id"], columns["at"], columns["account"]))
        return cls(*(columns[name][order] for name in cls.__dataclass_fields__))

    def only(self, keep: Bools) -> EventTable:
        return EventTable(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    def of_kinds(self, *kinds: int) -> EventTable:
        return self.only(np.isin(self.kind, kinds))


@dataclass(frozen=True, slots=True)
class Hit:
    """One time a rule struck an account; the key tells it from every other."""

    account: int
    at: int
    key: str
    evidence: dict[str, Any] = field(default_factory=dict)


def letters(number: int) -> str:
    """Return the text behind a code of letters, as currencies and countries are read."""
    text = ""
    while number:
        number, low = divmod(number, 256)
        text = chr(low) + text
    return text


def first_after(at: Ints, low: Ints, high: Ints, moment: Ints) -> Ints:
    """For each query, the first row of `low` to `high` later than its moment; else `high`."""
    low, high = low.copy(), high.copy()
    while True:
        open_ = low < high
        if not open_.any():
            return low
        middle = (low + high) // 2
        early = open_ & (at[np.minimum(middle, len(at) - 1)] <= moment)
        low = np.where(early, middle + 1, low)
        high = np.where(open_ & ~early, middle, high)


def window_starts(group: Ints, at: Ints, length: int) -> Ints:
    """For each row the first row of its group less than `length` before it."""
    rows = np.arange(len(at))
    first = np.flatnonzero(np.diff(group, prepend=-1) != 0)
    number = np.searchsorted(first, rows, side="right") - 1
    low = first[number] if len(first) else rows
    return first_after(at, low, rows, at - length)


def crossings(group: Ints, at: Ints, hot: Bools, length: int) -> Ints:
    """Return the rows at which a condition becomes true that was not true shortly before."""
    if not len(at):
        return np.zeros(0, dtype=np.int64)
    same = np.concatenate(([False], group[1:] == group[:-1]))
    was_hot = np.concatenate(([False], hot[:-1]))
    near = np.concatenate(([False], at[1:] - at[:-1] < length))
    return np.flatnonzero(hot & ~(same & was_hot & near))


def bursts(events: EventTable, parameters: Parameters) -> list[Hit]:
    """At least `count` events within `minutes`."""
    length = parameters["minutes"] * MINUTE
    start = window_starts(events.account, events.at, length)
    number = np.arange(len(events)) - start + 1
    rows = crossings(events.account, events.at, number >= parameters["count"], length)
    return [
        _hit(events, row, {"count": int(number[row]), "from": int(events.at[start[row]])})
        for row in rows.tolist()
    ]


def _hit(events: EventTable, row: int, evidence: dict[str, Any]) -> Hit:
    return Hit(
        account=int(events.account[row]),
        at=int(events.at[row]),
        key=f"event:{int(events.id[row])}",
        evidence={**evidence, "to": int(events.at[row])},
    )


def _by_currency(events: EventTable) -> tuple[EventTable, Ints]:
    """Return events with an amount, grouped by account and currency."""
    events = events.only((events.amount != 0) & (events.currency != 0))
    order = np.lexsort((events.id, events.at, events.currency, events.account))
    events = EventTable(*(getattr(events, name)[order] for name in events.__dataclass_fields__))
    changed = (np.diff(events.account, prepend=-1) != 0) | (
        np.diff(events.currency, prepend=-1) != 0
    )
    return events, np.cumsum(changed)


def totals(events: EventTable, parameters: Parameters) -> list[Hit]:
    """Return amounts of one currency that add up to `amount` within `minutes`."""
    events, group = _by_currency(events)
    length = parameters["minutes"] * MINUTE
    start = window_starts(group, events.at, length)
    running = np.concatenate(([0], np.cumsum(np.abs(events.amount))))
    total = running[1:] - running[start]
    rows = crossings(group, events.at, total >= parameters["amount"], length)
    return [
        _hit(
            events,
            row,
            {
                "total": int(total[row]),
                "currency": letters(int(events.currency[row])),
                "count": row - int(start[row]) + 1,
                "from": int(events.at[start[row]]),
            },
        )
        for row in rows.tolist()
    ]


def structuring(events: EventTable, parameters: Parameters) -> list[Hit]:
    """Many amounts just under a threshold."""
    amount, threshold = np.abs(events.amount), parameters["threshold"]
    near = (amount < threshold) & (amount * 100 >= threshold * parameters["percent"])
    events, group = _by_currency(events.only(near))
    length = parameters["minutes"] * MINUTE
    start = window_starts(group, events.at, length)
    number = np.arange(len(events)) - start + 1
    rows = crossings(group, events.at, number >= parameters["count"], length)
    return [
        _hit(
            events,
            row,
            {
                "count": int(number[row]),
                "threshold": threshold,
                "currency": letters(int(events.currency[row])),
                "from": int(events.at[start[row]]),
            },
        )
        for row in rows.tolist()
    ]


def many_devices(events: EventTable, parameters: Parameters) -> list[Hit]:
    """So many different devices within `minutes`."""
    events = events.only(events.device != 0)
    # Few accounts have as many devices at all; only those are walked through.
    pairs = np.unique(np.stack([events.account, events.device]), axis=1)
    accounts, devices = np.unique(pairs[0], return_counts=True)
    busy = accounts[devices >= parameters["count"]]
    events = events.only(np.isin(events.account, busy))
    length = parameters["minutes"] * MINUTE
    start = window_starts(events.account, events.at, length)
    number = np.array(
        [
            len(set(events.device[first : row + 1].tolist()))
            for row, first in enumerate(start.tolist())
        ],
        dtype=np.int64,
    )
    rows = crossings(events.account, events.at, number >= parameters["count"], length)
    return [
        _hit(events, row, {"devices": int(number[row]), "from": int(events.at[start[row]])})
        for row in rows.tolist()
    ]


def repeated(
    account: Ints, at: Ints, event: Ints, digest: Ints, parameters: Parameters
) -> list[Hit]:
    """Find the same content at least `count` times within `minutes`."""
    order = np.lexsort((event, at, digest, account))
    account, at, event, digest = account[order], at[order], event[order], digest[order]
    changed = (np.diff(account, prepend=-1) != 0) | (np.diff(digest, prepend=-1) != 0)
    group = np.cumsum(changed)
    length = parameters["minutes"] * MINUTE
    start = window_starts(group, at, length)
    number = np.arange(len(at)) - start + 1
    rows = crossings(group, at, number >= parameters["count"], length)
    return [
        Hit(
            account=int(account[row]),
            at=int(at[row]),
            key=f"event:{int(event[row])}",
            evidence={
                "count": int(number[row]),
                "from": int(at[start[row]]),
                "to": int(at[row]),
            },
        )
        for row in rows.tolist()
    ]
