"""Service clocks of a ticket as a pure function of its event log."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .business_hours import ZERO, BusinessHours
from .lifecycle import DONE_STATUSES, NEW, WAITING_CUSTOMER

OPENED = "opened"
CUSTOMER_REPLY = "customer_reply"
STAFF_REPLY = "staff_reply"
STATUS = "status"
TARGETS = "targets"

FIRST_RESPONSE = "first_response"
NEXT_RESPONSE = "next_response"
RESOLUTION = "resolution"
CLOCKS = (FIRST_RESPONSE, NEXT_RESPONSE, RESOLUTION)


@dataclass(frozen=True)
class Targets:
    """What one version of a policy promises, in working time of its business hours."""

    hours: BusinessHours = field(default_factory=BusinessHours)
    first_response: timedelta | None = None
    next_response: timedelta | None = None
    resolution: timedelta | None = None

    def of(self, clock: str) -> timedelta | None:
        return {
            FIRST_RESPONSE: self.first_response,
            NEXT_RESPONSE: self.next_response,
            RESOLUTION: self.resolution,
        }[clock]


@dataclass(frozen=True)
class SlaEvent:
    """One fact of the log that moves a clock."""

    at: datetime
    kind: str
    status: str = ""
    targets: Targets | None = None


@dataclass
class Clock:
    """One promise: started, perhaps paused, ended or still running."""

    kind: str
    cycle: int
    started_at: datetime
    targets: Targets
    elapsed: timedelta = ZERO
    running_since: datetime | None = None
    stopped_at: datetime | None = None
    due_at: datetime | None = None
    breached_at: datetime | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.kind, self.cycle

    @property
    def target(self) -> timedelta | None:
        return self.targets.of(self.kind)

    @property
    def is_running(self) -> bool:
        return self.running_since is not None

    def run(self, at: datetime) -> None:
        if self.is_running:
            return
        self.running_since, self.stopped_at = at, None
        if self.breached_at is None:
            self.due_at = self._due(at)

    def pause(self, at: datetime) -> None:
        if self.running_since is None:
            return
        self.see(at)
        self.elapsed += self.targets.hours.elapsed(self.running_since, at)
        self.running_since = None
        # While paused nobody can say when it will be due; a missed date stays on record.
        if self.breached_at is None:
            self.due_at = None

    def hold(self, at: datetime) -> None:
        """Wait with the promise still open, also after it had once been kept."""
        self.pause(at)
        self.stopped_at = None
        if self.breached_at is None:
            self.due_at = None

    def stop(self, at: datetime) -> None:
        due = self.due_at
        self.pause(at)
        self.stopped_at, self.due_at = at, due

    def retarget(self, at: datetime, targets: Targets) -> None:
        was_running = self.is_running
        self.pause(at)
        self.targets = targets
        if was_running:
            self.run(at)

    def see(self, now: datetime) -> None:
        """Note a breach if the due moment has passed while running."""
        if self.is_running and self.breached_at is None and self.due_at and now > self.due_at:
            self.breached_at = self.due_at

    def elapsed_at(self, now: datetime) -> timedelta:
        """Return working time used up by `now`."""
        if self.running_since is None:
            return self.elapsed
        return self.elapsed + self.targets.hours.elapsed(self.running_since, now)

    def _due(self, at: datetime) -> datetime | None:
        if self.target is None:
            return None
        return self.targets.hours.due(at, self.target - self.elapsed)


@dataclass
class Timeline:
    """Every clock a ticket has had, as the log so far leaves them."""

    clocks: list[Clock] = field(default_factory=list)
    status: str = NEW

    def latest(self, kind: str) -> Clock | None:
        return next((c for c in reversed(self.clocks) if c.kind == kind), None)

    def due_at(self, kind: str) -> datetime | None:
        """When the clock of a kind is due, as long as it is not over or paused."""
        clock = self.latest(kind)
        return clock.due_at if clock and clock.is_running else None

    def breaches(self, now: datetime) -> list[Clock]:
        """Return clocks whose promise was broken by `now`, whether still running or not."""
        for clock in self.clocks:
            clock.see(now)
        return [clock for clock in self.clocks if clock.breached_at is not None]

    def next_due(self, reported: Collection[tuple[str, int]] = ()) -> datetime | None:
        """Return the earliest due moment of a running clock whose breach is not yet on record."""
        return min(
            (c.due_at for c in self.clocks if c.is_running and c.due_at and c.key not in reported),
            default=None,
        )


def replay(events: Iterable[SlaEvent]) -> Timeline:
    """Replay a log: the same events always give the same clocks."""
    timeline = Timeline()
    targets = Targets()
    reached: datetime | None = None
    for event in events:
        # Hosts disagree by milliseconds; the order of the log wins over its timestamps.
        at = max(event.at, reached) if reached else event.at
        reached = at
        if event.kind == TARGETS or event.targets is not None:
            targets = event.targets or Targets()
            _retarget(timeline, at, targets)
        if event.kind == OPENED:
            _open(timeline, at, targets)
        elif event.kind == STAFF_REPLY:
            _answered(timeline, at)
        elif event.kind == CUSTOMER_REPLY:
            _asked(timeline, at, targets)
        elif event.kind == STATUS:
            _status(timeline, at, event.status)
    return timeline


def _open(timeline: Timeline, at: datetime, targets: Targets) -> None:
    for kind in (FIRST_RESPONSE, RESOLUTION):
        clock = Clock(kind, 1, at, targets)
        clock.run(at)
        timeline.clocks.append(clock)


def _answered(timeline: Timeline, at: datetime) -> None:
    for kind in (FIRST_RESPONSE, NEXT_RESPONSE):
        clock = timeline.latest(kind)
        if clock and clock.stopped_at is None:
            clock.stop(at)


def _asked(timeline: Timeline, at: datetime, targets: Targets) -> None:
    first, latest = timeline.latest(FIRST_RESPONSE), timeline.latest(NEXT_RESPONSE)
    if first is None or first.stopped_at is None or (latest and latest.is_running):
        return  # the customer is already waiting for an answer since an earlier message
    clock = Clock(NEXT_RESPONSE, latest.cycle + 1 if latest else 1, at, targets)
    clock.run(at)
    timeline.clocks.append(clock)


def _status(timeline: Timeline, at: datetime, status: str) -> None:
    was_done = timeline.status in DONE_STATUSES
    timeline.status = status
    if status in DONE_STATUSES:
        _done(timeline, at, was_done=was_done)
        return
    first, resolution = timeline.latest(FIRST_RESPONSE), timeline.latest(RESOLUTION)
    if first and first.stopped_at is None:
        first.run(at)
    if resolution and status == WAITING_CUSTOMER:
        resolution.hold(at)
    elif resolution:
        resolution.run(at)


def _done(timeline: Timeline, at: datetime, *, was_done: bool) -> None:
    first, resolution = timeline.latest(FIRST_RESPONSE), timeline.latest(RESOLUTION)
    following = timeline.latest(NEXT_RESPONSE)
    if first and first.stopped_at is None:
        first.pause(at)
    if following and following.is_running:
        following.stop(at)
    if resolution and not was_done:
        resolution.stop(at)


def _retarget(timeline: Timeline, at: datetime, targets: Targets) -> None:
    for clock in timeline.clocks:
        if clock.stopped_at is None or clock.kind == RESOLUTION:
            clock.retarget(at, targets)
