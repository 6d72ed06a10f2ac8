"""The detectors: each reads what its rule looks at in a span and says where the rule strikes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from riskops.account_sets import Accounts
from riskops.anomalies import history, log, travel, windows
from riskops.anomalies.geo import places_of
from riskops.anomalies.history import DayBound, Level
from riskops.anomalies.login_risk import Feature, surprise
from riskops.anomalies.windows import DAY, MINUTE, EventTable, Hit, Ints, Parameters
from riskops.ingest.parse import EARLIEST
from riskops.models import EventKind
from riskops.scores.facts import to_micros

# Totals of days read at once, which bounds the memory of `day_bounds`.
SURVEY_TOTALS = 5_000_000

K = EventKind


class Population:
    """What one account is compared with: read when first asked for, then kept for the run."""

    def __init__(self) -> None:
        self._levels: dict[tuple[int, int], Level] = {}
        self._days: set[int] = set()

    @cached_property
    def accounts(self) -> float:
        """How many accounts there are."""
        return float(max(log.accounts_known(), 1))

    @cached_property
    def countries(self) -> dict[int, float]:
        """The share of each country among all logins that tell one."""
        return log.country_shares()

    def levels(self, days: Iterable[int]) -> Mapping[tuple[int, int], Level]:
        """Return what accounts moved on these days, by day and currency."""
        for day in sorted(set(days) - self._days):
            self._learn(day, day + 1)
        return self._levels

    def day_bounds(
        self, rules: Sequence[tuple[str, Parameters]], start: int, end: int
    ) -> list[Ints]:
        """Read the levels of all days; return for each rule the accounts with a day it may strike.

        That is nobody for a rule that is not about amounts.
        """
        bounds = [history.day_bound(*rule) for rule in rules]
        if not any(bounds):
            return [_nobody() for _ in rules]
        near = _widest_near(bounds)
        found: list[list[Ints]] = [[_nobody()] for _ in rules]
        first, last = start // DAY, end // DAY + 1
        step = -(-(last - first) // (log.transactions_known() // SURVEY_TOTALS + 1))
        for low in range(first, last, step):
            moved = self._learn(low, min(low + step, last), near)
            for mine, bound in zip(found, bounds, strict=True):
                if bound:
                    mine.append(_struck(moved, bound))
        return [np.unique(np.concatenate(mine)) for mine in found]

    def _learn(self, low: int, high: int, near: tuple[int, int] = (0, 0)) -> dict[str, Ints]:
        moved = log.read_daily_totals(low * DAY, high * DAY, near)
        levels = history.daily_levels(moved["currency"], moved["day"], moved["total"])
        self._levels.update(levels)
        self._days.update(range(low, high))
        return moved


def _nobody() -> Ints:
    return np.empty(0, dtype=np.int64)


def _widest_near(bounds: Sequence[DayBound | None]) -> tuple[int, int]:
    """Return the range of amounts that holds the ranges of all rules; (0, 0) without any."""
    nears = [bound.near for bound in bounds if bound and bound.near]
    return (min(low for low, _ in nears), max(high for _, high in nears)) if nears else (0, 0)


def _struck(moved: dict[str, Ints], bound: DayBound) -> Ints:
    if bound.total is not None:
        return np.unique(moved["account"][moved["total"] >= bound.total])
    return np.unique(moved["account"][moved["near"] > 0])


class Shared:
    """The events that several rules look at in a span, read once."""

    def __init__(
        self, start: int, end: int, accounts: Accounts | None, back: Mapping[int, int]
    ) -> None:
        self._asked = {kind: start - before for kind, before in back.items()}, end, accounts

    @cached_property
    def events(self) -> EventTable:
        return log.read_events(*self._asked)


@dataclass(frozen=True, slots=True)
class Span:
    """What a rule looks at: hits from `start` until before `end`, of everyone or of some."""

    start: int
    end: int
    accounts: Accounts | None
    everyone: Population
    shared: Shared  # the span's events, and those of the windows before it
    is_whole: bool = False  # from the first event to the last, so that nothing lies before

    def of(self, accounts: Ints) -> Span:
        """Return the same for some of the accounts."""
        return replace(self, accounts=Accounts.listed(accounts.tolist()))

    def events(self, *kinds: int) -> EventTable:
        """Return events of these kinds of all the rules' accounts."""
        return self.shared.events.of_kinds(*kinds)

    def past(
        self, kinds: Sequence[int], since: int, accounts: Ints, *, logins_at_least: int = 0
    ) -> EventTable:
        """Return events of some accounts from a moment before the span until its end."""
        if self.is_whole:
            events = self.events(*kinds)
            return events.only(np.isin(events.account, accounts))
        return log.read_events(
            dict.fromkeys(kinds, since),
            self.end,
            Accounts.listed(accounts.tolist()),
            logins_at_least=logins_at_least,
        )

    def covers(self, hit: Hit) -> bool:
        """Return whether a hit is this span's; totals of a day carry the day's first moment."""
        in_span = self.start <= hit.at < self.end or hit.key.startswith("day:")
        return in_span and (self.accounts is None or hit.account in self.accounts)


def _windowed(detector: str, find: Callable[[EventTable, Parameters], list[Hit]]) -> Finder:
    def finder(span: Span, parameters: Parameters) -> list[Hit]:
        return find(span.events(*WINDOWED[detector]), parameters)

    return finder


def _repeated(span: Span, parameters: Parameters) -> list[Hit]:
    back = 2 * parameters["minutes"] * MINUTE
    account, at, event, digest = log.read_content(span.start - back, span.end, span.accounts)
    return windows.repeated(account, at, event, digest, parameters)


def _unusual_hour(span: Span, parameters: Parameters) -> list[Hit]:
    logins = span.events(K.LOGIN_OK.value)
    active = np.unique(logins.account[logins.at >= span.start])
    if not len(active):
        return []
    past = span.past(
        (K.LOGIN_OK.value,),
        span.start - parameters["days"] * DAY,
        active,
        logins_at_least=parameters["logins"] + 1,
    )
    return history.unusual_hours(past, span.start, parameters)


def _new_country(span: Span, parameters: Parameters) -> list[Hit]:
    account, country, first = log.read_countries(span.accounts, span.start, span.end)
    return history.new_countries(account, country, first, span.start, span.end, parameters)


def _travel(find: Callable[..., list[Hit]]) -> Finder:
    def finder(span: Span, parameters: Parameters) -> list[Hit]:
        logins = span.events(K.LOGIN_OK.value)
        # The exit of a VPN or proxy is where its server stands, not where anybody is.
        logins = logins.only(~np.isin(logins.ip, log.listed_among(logins.ip)))
        lat, lon, radius = places_of(logins)
        known = np.isfinite(lat)
        return find(logins.only(known), lat[known], lon[known], radius[known], parameters)

    return finder


def _volume(span: Span, parameters: Parameters) -> list[Hit]:
    # The day the span begins in has begun before it.
    start = span.start // DAY * DAY
    money = span.events(*log.TRANSACTIONS)
    accounts = history.big_days(money.only(money.at >= start), start, parameters)
    if not len(accounts):
        return []
    past = span.past(log.TRANSACTIONS, start - parameters["days"] * DAY, accounts)
    return history.volume_outliers(past, span.everyone.levels, start, parameters)


def _unusual_login(span: Span, parameters: Parameters) -> list[Hit]:
    found = log.read_logins(
        span.start, span.end, span.accounts, parameters["logins"], parameters["bits"]
    )
    # More logins make a strange one stranger: with all there are now, none is missed.
    maybe = np.flatnonzero(_surprise(span.everyone, found, found["logins"]) >= parameters["bits"])
    found = {name: values[maybe] for name, values in found.items()}
    before = _logins_before(found)
    bits = np.where(before >= parameters["logins"], _surprise(span.everyone, found, before), 0.0)
    rows = np.flatnonzero(bits >= parameters["bits"])
    return [
        Hit(
            account=int(found["account"][row]),
            at=int(found["at"][row]),
            key=f"event:{int(found['id'][row])}",
            evidence={
                "bits": round(float(bits[row]), 1),
                "logins_before": int(before[row]),
                "new_address": bool(found["ip_first"][row] >= found["at"][row]),
                "new_device": bool(found["device_first"][row] >= found["at"][row]),
                "new_country": bool(found["country_first"][row] >= found["at"][row]),
            },
        )
        for row in rows.tolist()
    ]


def _logins_before(found: dict[str, Ints]) -> Ints:
    """Return how many logins each account had before each of these."""
    if not len(found["account"]):
        return found["account"]
    accounts = Accounts.listed(found["account"].tolist())
    first = {K.LOGIN_OK.value: to_micros(EARLIEST)}
    logins = log.read_events(first, int(found["at"].max()), accounts)
    people, start = np.unique(logins.account, return_index=True)
    if not len(people):
        return np.zeros_like(found["account"])
    place = np.minimum(np.searchsorted(people, found["account"]), len(people) - 1)
    low = start[place]
    high = np.append(start, len(logins))[1:][place]
    # A login is not before itself: strictly earlier ones count.
    rank = windows.first_after(logins.at, low, high, found["at"] - 1)
    return np.where(people[place] == found["account"], rank - low, 0)


def _surprise(everyone: Population, found: dict[str, Ints], logins: Ints) -> np.ndarray:
    if not len(logins):
        return np.zeros(0)
    at, total = found["at"], everyone.accounts

    def feature(name: str, known: np.ndarray) -> Feature:
        # A value first seen at this very login was not seen before it.
        own = np.where(found[f"{name}_first"] < at, found[f"{name}_own"], 0)
        share = found.get(f"{name}_crowd", np.ones_like(at)) / total
        return Feature(np.minimum(own, logins), np.maximum(share, 1 / total), known)

    country = feature("country", found["country"] != 0)
    shares = everyone.countries
    share = np.array([shares.get(int(code), 1 / total) for code in found["country"].tolist()])
    address = feature("ip", found["ip"] != 0)
    return surprise(
        address,
        feature("device", found["device"] != 0),
        Feature(country.own, share.reshape(len(at)), country.known),
        logins=logins,
        subnet_known=_subnet_known(found, (address.own == 0) & address.known),
        listed=found["listed"] > 0,
    )


def _subnet_known(found: dict[str, Ints], new: np.ndarray) -> np.ndarray:
    known = np.zeros(len(new), dtype=np.bool_)
    rows = np.flatnonzero(new).tolist()
    asked = [tuple(int(found[name][row]) for name in ("account", "ip", "at")) for row in rows]
    familiar = log.familiar_subnets(asked) if asked else set()  # type: ignore[arg-type]
    for row, (account, ip, _) in zip(rows, asked, strict=True):
        known[row] = (account, ip) in familiar
    return known


Finder = Callable[[Span, Parameters], list[Hit]]
# The detectors over short windows and the kinds of event they look at.
WINDOWED: dict[str, tuple[int, ...]] = {
    "transaction_velocity": log.TRANSACTIONS,
    "transaction_total": log.TRANSACTIONS,
    "structuring": log.TRANSACTIONS,
    "many_devices": (K.LOGIN_OK.value,),
    "posting_burst": (K.CONTENT_POSTED.value,),
    "follow_burst": (K.FOLLOW.value,),
    "failed_login_burst": (K.LOGIN_FAILED.value,),
}
FINDERS: dict[str, Finder] = {
    "transaction_velocity": _windowed("transaction_velocity", windows.bursts),
    "transaction_total": _windowed("transaction_total", windows.totals),
    "structuring": _windowed("structuring", windows.structuring),
    "unusual_hour": _unusual_hour,
    "new_country": _new_country,
    "many_devices": _windowed("many_devices", windows.many_devices),
    "far_sessions": _travel(travel.far_sessions),
    "impossible_travel": _travel(travel.impossible_travel),
    "posting_burst": _windowed("posting_burst", windows.bursts),
    "repeated_content": _repeated,
    "follow_burst": _windowed("follow_burst", windows.bursts),
    "failed_login_burst": _windowed("failed_login_burst", windows.bursts),
    "volume_outlier": _volume,
    "unusual_login": _unusual_login,
}
