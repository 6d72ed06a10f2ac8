"""Run the anomaly rules over the event log: what is new, a span of time, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Max, Min
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.anomalies import log
from riskops.anomalies.candidates import events_known, events_of, may_be_struck
from riskops.anomalies.detectors import FINDERS, WINDOWED, Population, Shared, Span
from riskops.anomalies.findings import Written, write_hits
from riskops.anomalies.rules import BY_CODE
from riskops.anomalies.windows import DAY, MINUTE, Ints, Parameters
from riskops.models import AccountEvent, AnomalyRule, DetectionMark
from riskops.scores.facts import to_micros
from systemadmin.foundation.batches import Batch, State

MARK = "anomalies"
# A batch that commits late carries lower ids than the mark; it is looked at again this long.
GRACE = timedelta(minutes=5)
# Events read at once, which bounds the memory of a run over all history.
SLICE_EVENTS = 400_000
# Above this many new accounts it is cheaper to read everyone's events of the span.
MANY_ACCOUNTS = 2_000
# Up to this share of the log the accounts that rules may strike are read by their index; above it,
# reading everyone's events in the order they lie in is cheaper.
FEW_EVENTS = 0.25
# Runs rules one by one: when one raises, the others still run.
RULES = Batch("riskops.anomaly_rules")

# Called after each part with the share that is done and the number of new hits so far.
Progress = Callable[[float, int], None]
Rules = Sequence[tuple[AnomalyRule, Parameters]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a run: hits from its start until before its end, of everyone or of some."""

    start: int
    end: int
    accounts: Accounts | None
    # When the whole log of a few accounts is read: for each rule those that it may strike.
    mine: Sequence[Ints] | None = None


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
    """Look at what came in since the last run.

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
        start, end = to_micros(span["first"]), to_micros(span["last"]) + 1
        _run(_rules(), start, end, summary, progress, _accounts_of(fresh))
    # A rule that raised has not seen these events: they are read again until it is given up.
    if settled is not None and not RULES.known(State.DUE, State.WAITING):
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
    """Look at everything that occurred in a span of time."""
    summary = DetectionSummary()
    end = to_micros(until or timezone.now() + timedelta(days=1))
    _run(_rules(), to_micros(since), end, summary, progress)
    return summary


def detect_history(*, progress: Progress | None = None) -> DetectionSummary:
    """Look at the whole log: each rule at those it may strike, where these are few.

    The other rules look at everyone, from end to end.
    """
    span = AccountEvent.objects.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    summary = DetectionSummary()
    if span["first"] is None:
        return summary
    rules, everyone = _rules(), Population()
    start, end = to_micros(span["first"]), to_micros(span["last"]) + 1
    given = [(rule.detector, parameters) for rule, parameters in rules]
    mine = may_be_struck(given, everyone.day_bounds(given, start, end))
    accounts = _union(mine)
    events = events_of(accounts)
    few = _few(mine, accounts, events, int(FEW_EVENTS * events_known()))
    chosen = [mine[number] for number in few]
    kept = np.isin(accounts, _union(chosen))
    narrow = [rules[number] for number in few]
    broad = [rule for number, rule in enumerate(rules) if number not in few]
    share = FEW_EVENTS if broad else 1.0
    portions = _portions(start, end, accounts[kept], events[kept], chosen)
    _look(narrow, portions, summary, _within(progress, 0.0, share), everyone)
    if broad:
        _run(broad, start, end, summary, _within(progress, share, 1.0), everyone=everyone)
    return summary


def _within(progress: Progress | None, low: float, high: float) -> Progress | None:
    """Return progress of a part of the run that goes from one share to another."""
    if progress is None:
        return None
    return lambda done, hits: progress(low + (high - low) * done, hits)


def _union(parts: Sequence[Ints]) -> Ints:
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))


def _few(mine: Sequence[Ints], accounts: Ints, events: Ints, most: int) -> list[int]:
    """Return the rules to run account by account, which read at most so many events together.

    `accounts` are those of all rules, with the number of `events` of each.
    """
    covered = np.zeros(len(accounts), dtype=np.bool_)
    few = []
    for number in sorted(range(len(mine)), key=lambda number: len(mine[number])):
        more = covered.copy()
        more[np.searchsorted(accounts, mine[number])] = True
        if events[more].sum() <= most:
            covered = more
            few.append(number)
    return sorted(few)


def _rules() -> Rules:
    enabled = AnomalyRule.objects.enabled()
    return [(rule, BY_CODE[rule.detector].read(rule.parameters)) for rule in enabled]


def _run(
    rules: Rules,
    start: int,
    end: int,
    summary: DetectionSummary,
    progress: Progress | None,
    accounts: Accounts | None = None,
    everyone: Population | None = None,
) -> None:
    # A late event can complete a burst whose last event lies a window after it.
    end += max((given.get("minutes", 0) * MINUTE for _, given in rules), default=0)
    slices: Iterator[tuple[int, int]] = iter([(start, end)])
    if accounts is None:
        slices = log.slices_of_time(start, end, SLICE_EVENTS)
    parts = (
        (Part(low, high, accounts), (high - start) / max(end - start, 1)) for low, high in slices
    )
    _look(rules, parts, summary, progress, everyone or Population())


def _portions(
    start: int, end: int, accounts: Ints, events: Ints, mine: Sequence[Ints]
) -> Iterator[tuple[Part, float]]:
    """Yield the whole log in parts of some accounts, each with the events of one slice."""
    done = np.cumsum(events)
    last = np.flatnonzero(np.diff(done // SLICE_EVENTS, append=-1))
    low = 0
    for high in (last + 1).tolist():
        edges = [np.searchsorted(ids, (accounts[low], accounts[high - 1] + 1)) for ids in mine]
        chosen = [ids[first:end_] for ids, (first, end_) in zip(mine, edges, strict=True)]
        part = Part(start, end, Accounts.listed(accounts[low:high].tolist()), chosen)
        yield part, float(done[high - 1] / max(done[-1], 1))
        low = high


def _look(
    rules: Rules,
    parts: Iterable[tuple[Part, float]],
    summary: DetectionSummary,
    progress: Progress | None,
    everyone: Population,
) -> None:
    back = _back(rules)
    for part, done in parts:
        shared = Shared(part.start, part.end, part.accounts, back)
        is_whole = part.mine is not None
        whole = Span(part.start, part.end, part.accounts, everyone, shared, is_whole)
        for number, (rule, parameters) in enumerate(rules):
            span = whole if part.mine is None else whole.of(part.mine[number])
            if span.accounts is None or span.accounts.ids:
                RULES.each(
                    [rule.code],
                    lambda _code, rule=rule, parameters=parameters, span=span: summary.add(
                        rule.code, _write(rule, parameters, span)
                    ),
                )
        if progress:
            progress(done, summary.hits)


def _write(rule: AnomalyRule, parameters: Parameters, span: Span) -> Written:
    hits = FINDERS[rule.detector](span, parameters)
    return write_hits(rule, [hit for hit in hits if span.covers(hit)])


def _back(rules: Rules) -> dict[int, int]:
    """Return how far before a span each kind of event is needed: two windows, at least a day."""
    back = dict.fromkeys(log.WATCHED, DAY)
    for rule, parameters in rules:
        for kind in WINDOWED.get(rule.detector, ()):
            back[kind] = max(back[kind], 2 * parameters["minutes"] * MINUTE)
    return back
