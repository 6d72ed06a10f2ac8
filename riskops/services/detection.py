"""Runs the anomaly rules over the event log: what is new, a span of time, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Max, Min
from django.utils import timezone

from riskops import anomaly_history, anomaly_windows, travel
from riskops.anomaly_rules import BY_CODE
from riskops.anomaly_windows import DAY, MINUTE, EventTable, Hit, Ints, Parameters
from riskops.eventcheck import EARLIEST
from riskops.login_risk import Feature, surprise
from riskops.models import AccountEvent, AnomalyRule, DetectionMark, EventKind
from riskops.querysets import log
from riskops.querysets.accounts import Accounts
from riskops.querysets.facts import from_micros, to_micros
from riskops.services.findings import Written, write_hits
from riskops.services.geo import places_of

MARK = "anomalies"
# A batch that commits late carries lower ids than the mark; it is looked at again this long.
GRACE = timedelta(minutes=5)
# Events read at once, which bounds the memory of a run over all history.
SLICE_EVENTS = 400_000
# Above this share of new accounts it is cheaper to read everyone's events of the span.
MANY_ACCOUNTS = 2_000

K = EventKind
Progress = Callable[[datetime, int], None]


@dataclass(slots=True)
class Span:
    """What a run looks at: hits from `start` until before `end`, of everyone or of some."""

    start: int
    end: int
    accounts: Accounts | None
    back: dict[int, int]  # how long before the start each kind of event matters
    _events: EventTable | None = None

    def events(self, *kinds: int) -> EventTable:
        """Events of the span and of the windows before it, read once for all rules."""
        if self._events is None:
            since = {kind: self.start - back for kind, back in self.back.items()}
            self._events = log.read_events(since, self.end, self.accounts)
        return self._events.of_kinds(*kinds)

    def covers(self, hit: Hit) -> bool:
        """Whether a hit is this span's; totals of a day carry the day's first moment."""
        in_span = self.start <= hit.at < self.end or hit.key.startswith("day:")
        ids = self.accounts.ids if self.accounts is not None else None
        return in_span and (ids is None or hit.account in ids)


@dataclass(slots=True)
class DetectionSummary:
    """What a detection found."""

    hits: int = 0
    opened: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)

    def add(self, rule: str, written: Written) -> None:
        self.hits += written.hits
        self.opened += written.opened
        if written.hits:
            self.by_rule[rule] = self.by_rule.get(rule, 0) + written.hits


# -- runs ----------------------------------------------------------------------


def detect_new(*, progress: Progress | None = None) -> DetectionSummary:
    """Looks at what came in since the last run.

    A hit has a key of its own, so running twice, being killed, or running beside another worker
    changes nothing; the mark only saves work.
    """
    mark, _ = DetectionMark.objects.get_or_create(name=MARK)
    # Taken before reading, so that what arrives meanwhile is read next time.
    settled = AccountEvent.objects.filter(
        pk__gt=mark.event_id, received_at__lt=timezone.now() - GRACE
    ).aggregate(Max("pk"))["pk__max"]
    fresh = AccountEvent.objects.filter(pk__gt=mark.event_id)
    span = fresh.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    summary = DetectionSummary()
    if span["first"] is not None:
        accounts = _accounts_of(fresh)
        _run(to_micros(span["first"]), to_micros(span["last"]) + 1, accounts, summary, progress)
    if settled is not None:
        DetectionMark.objects.filter(name=MARK, event_id__lt=settled).update(
            event_id=settled, updated_at=timezone.now()
        )
    return summary


def _accounts_of(fresh: object) -> Accounts | None:
    ids = fresh.order_by().values_list("account_id", flat=True).distinct()
    some = list(ids[: MANY_ACCOUNTS + 1])
    return Accounts.listed(some) if len(some) <= MANY_ACCOUNTS else None


def detect_since(
    since: datetime, until: datetime | None = None, *, progress: Progress | None = None
) -> DetectionSummary:
    """Looks at everything that occurred in a span of time."""
    summary = DetectionSummary()
    end = to_micros(until or timezone.now() + timedelta(days=1))
    _run(to_micros(since), end, None, summary, progress)
    return summary


def detect_history(*, progress: Progress | None = None) -> DetectionSummary:
    """Looks at the whole log."""
    first = AccountEvent.objects.aggregate(Min("occurred_at"))["occurred_at__min"]
    return detect_since(first, progress=progress) if first else DetectionSummary()


def _run(
    start: int,
    end: int,
    accounts: Accounts | None,
    summary: DetectionSummary,
    progress: Progress | None,
) -> None:
    rules = [
        (rule, BY_CODE[rule.detector].read(rule.parameters))
        for rule in AnomalyRule.objects.enabled()
    ]
    # A late event can complete a burst whose last event lies a window after it.
    end += max((given.get("minutes", 0) * MINUTE for _, given in rules), default=0)
    back = _back(rules)
    for low, high in _slices(start, end, accounts):
        span = Span(low, high, accounts, back)
        for rule, parameters in rules:
            hits = FINDERS[rule.detector](span, parameters)
            summary.add(rule.code, write_hits(rule, [hit for hit in hits if span.covers(hit)]))
        if progress:
            progress(from_micros(high) or timezone.now(), summary.hits)


def _back(rules: Sequence[tuple[AnomalyRule, Parameters]]) -> dict[int, int]:
    """How far before a span each kind of event is needed: two windows, at least a day."""
    back = dict.fromkeys(log.WATCHED, DAY)
    for rule, parameters in rules:
        for kind in WINDOWED.get(rule.detector, ()):
            back[kind] = max(back[kind], 2 * parameters["minutes"] * MINUTE)
    return back


def _slices(start: int, end: int, accounts: Accounts | None) -> Iterator[tuple[int, int]]:
    if accounts is not None:
        return iter([(start, end)])
    return log.slices_of_time(start, end, SLICE_EVENTS)


# -- detectors -----------------------------------------------------------------


def _windowed(detector: str, find: Callable[[EventTable, Parameters], list[Hit]]) -> Finder:
    def finder(span: Span, parameters: Parameters) -> list[Hit]:
        return find(span.events(*WINDOWED[detector]), parameters)

    return finder


def _repeated(span: Span, parameters: Parameters) -> list[Hit]:
    back = 2 * parameters["minutes"] * MINUTE
    account, at, event, digest = log.read_content(span.start - back, span.end, span.accounts)
    return anomaly_windows.repeated(account, at, event, digest, parameters)


def _unusual_hour(span: Span, parameters: Parameters) -> list[Hit]:
    logins = span.events(K.LOGIN_OK.value)
    active = np.unique(logins.account[logins.at >= span.start])
    if not len(active):
        return []
    history = log.read_events(
        {K.LOGIN_OK.value: span.start - parameters["days"] * DAY},
        span.end,
        Accounts.listed(active.tolist()),
        logins_at_least=parameters["logins"] + 1,
    )
    return anomaly_history.unusual_hours(history, span.start, parameters)


def _new_country(span: Span, parameters: Parameters) -> list[Hit]:
    account, country, first = log.read_countries(span.accounts, span.start, span.end)
    return anomaly_history.new_countries(account, country, first, span.start, span.end, parameters)


def _travel(find: Callable[..., list[Hit]]) -> Finder:
    def finder(span: Span, parameters: Parameters) -> list[Hit]:
        logins = span.events(K.LOGIN_OK.value)
        lat, lon, radius = places_of(logins)
        known = np.isfinite(lat)
        return find(logins.only(known), lat[known], lon[known], radius[known], parameters)

    return finder


def _volume(span: Span, parameters: Parameters) -> list[Hit]:
    # The day the span begins in has begun before it.
    start = span.start // DAY * DAY
    money = log.read_events(dict.fromkeys(log.TRANSACTIONS, start), span.end, span.accounts)
    accounts = anomaly_history.big_days(money, start, parameters)
    if not len(accounts):
        return []
    history = log.read_events(
        dict.fromkeys(log.TRANSACTIONS, start - parameters["days"] * DAY),
        span.end,
        Accounts.listed(accounts.tolist()),
    )
    everyone = money
    if span.accounts is not None:
        everyone = log.read_events(dict.fromkeys(log.TRANSACTIONS, start), span.end)
    return anomaly_history.volume_outliers(history, _peers(everyone), start, parameters)


def _peers(events: EventTable) -> dict[tuple[int, int], Ints]:
    _, currency, day, total = anomaly_history.daily(events)
    keys, inverse = np.unique(np.stack([day, currency]), axis=1, return_inverse=True)
    inverse = inverse.reshape(-1)
    return {(int(keys[0, i]), int(keys[1, i])): total[inverse == i] for i in range(keys.shape[1])}


def _unusual_login(span: Span, parameters: Parameters) -> list[Hit]:
    found = log.read_logins(
        span.start, span.end, span.accounts, parameters["logins"], parameters["bits"]
    )
    # More logins make a strange one stranger: with all there are now, none is missed.
    maybe = np.flatnonzero(_surprise(found, found["logins"]) >= parameters["bits"])
    found = {name: values[maybe] for name, values in found.items()}
    before = _logins_before(found)
    bits = np.where(before >= parameters["logins"], _surprise(found, before), 0.0)
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
    """How many logins each account had before each of these."""
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
    rank = anomaly_windows.first_after(logins.at, low, high, found["at"] - 1)
    return np.where(people[place] == found["account"], rank - low, 0)


def _surprise(found: dict[str, Ints], logins: Ints) -> np.ndarray:
    at, total = found["at"], float(max(log.accounts_known(), 1))

    def feature(name: str, known: np.ndarray) -> Feature:
        # A value first seen at this very login was not seen before it.
        own = np.where(found[f"{name}_first"] < at, found[f"{name}_own"], 0)
        share = found.get(f"{name}_crowd", np.ones_like(at)) / total
        return Feature(np.minimum(own, logins), np.maximum(share, 1 / total), known)

    country = feature("country", found["country"] != 0)
    shares = log.country_shares()
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
    "transaction_velocity": _windowed("transaction_velocity", anomaly_windows.bursts),
    "transaction_total": _windowed("transaction_total", anomaly_windows.totals),
    "structuring": _windowed("structuring", anomaly_windows.structuring),
    "unusual_hour": _unusual_hour,
    "new_country": _new_country,
    "many_devices": _windowed("many_devices", anomaly_windows.many_devices),
    "far_sessions": _travel(travel.far_sessions),
    "impossible_travel": _travel(travel.impossible_travel),
    "posting_burst": _windowed("posting_burst", anomaly_windows.bursts),
    "repeated_content": _repeated,
    "follow_burst": _windowed("follow_burst", anomaly_windows.bursts),
    "failed_login_burst": _windowed("failed_login_burst", anomaly_windows.bursts),
    "volume_outlier": _volume,
    "unusual_login": _unusual_login,
}
