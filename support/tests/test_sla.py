"""The clocks as a pure function: what adds up, what a pause does, what each event means."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import lifecycle, sla
from support.business_hours import BusinessHours
from support.sla import SlaEvent, Targets, replay
from support.tests.test_business_hours import calendars, moments, office

H = timedelta(hours=1)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday, 10:00 in Madrid
ALWAYS = Targets(BusinessHours(), 4 * H, 2 * H, 24 * H)


def opened(at=START, targets=ALWAYS):
    return SlaEvent(at, sla.OPENED, targets=targets)


def status(at, value):
    return SlaEvent(at, sla.STATUS, value)


def staff(at):
    return SlaEvent(at, sla.STAFF_REPLY)


def customer(at):
    return SlaEvent(at, sla.CUSTOMER_REPLY)


class TestFirstResponse:
    def test_runs_from_the_opening(self):
        timeline = replay([opened()])
        assert timeline.due_at(sla.FIRST_RESPONSE) == START + 4 * H

    def test_ends_with_the_first_public_answer(self):
        clock = replay([opened(), staff(START + H), staff(START + 9 * H)]).latest(
            sla.FIRST_RESPONSE
        )
        assert clock.stopped_at == START + H
        assert clock.elapsed == H
        assert clock.breached_at is None

    def test_is_not_paused_by_waiting(self):
        """Setting a status does not answer anyone."""
        timeline = replay([opened(), status(START + H, lifecycle.WAITING_CUSTOMER)])
        assert timeline.due_at(sla.FIRST_RESPONSE) == START + 4 * H

    def test_an_answer_on_the_last_moment_is_in_time(self):
        timeline = replay([opened(), staff(START + 4 * H)])
        assert timeline.breaches(START + 99 * H)[0].kind == sla.RESOLUTION
        late = replay([opened(), staff(START + 4 * H + timedelta(microseconds=1))])
        assert late.latest(sla.FIRST_RESPONSE).breached_at == START + 4 * H

    def test_closing_without_an_answer_pauses_it_until_reopened(self):
        events = [opened(), status(START + H, lifecycle.CLOSED)]
        assert replay(events).next_due() is None
        events.append(status(START + 10 * H, lifecycle.IN_PROGRESS))
        assert replay(events).due_at(sla.FIRST_RESPONSE) == START + 13 * H

    def test_an_evening_answer_after_an_afternoon_due_is_late(self):
        hours = Targets(office(), first_response=4 * H)
        friday = datetime(2026, 3, 6, 9, tzinfo=UTC)  # 10:00 to 14:00 is four hours
        timeline = replay([opened(friday, hours), staff(datetime(2026, 3, 6, 20, tzinfo=UTC))])
        assert timeline.latest(sla.FIRST_RESPONSE).breached_at == friday + 4 * H


class TestNextResponse:
    def test_starts_with_a_customer_message_after_the_first_answer(self):
        events = [opened(), customer(START + H)]
        assert replay(events).latest(sla.NEXT_RESPONSE) is None
        events += [staff(START + 2 * H), customer(START + 5 * H)]
        assert replay(events).due_at(sla.NEXT_RESPONSE) == START + 7 * H

    def test_the_earliest_unanswered_message_counts(self):
        events = [opened(), staff(START), customer(START + H), customer(START + 2 * H)]
        timeline = replay(events)
        assert timeline.due_at(sla.NEXT_RESPONSE) == START + 3 * H
        assert timeline.latest(sla.NEXT_RESPONSE).cycle == 1

    def test_each_question_is_a_cycle_of_its_own(self):
        events = [opened(), staff(START)]
        for turn in range(3):
            events += [customer(START + 4 * turn * H), staff(START + (4 * turn + 3) * H)]
        clocks = [c for c in replay(events).clocks if c.kind == sla.NEXT_RESPONSE]
        assert [c.cycle for c in clocks] == [1, 2, 3]
        assert all(c.breached_at for c in clocks)

    def test_closing_ends_it(self):
        events = [opened(), staff(START), customer(START + H), status(START + 2 * H, "closed")]
        assert replay(events).latest(sla.NEXT_RESPONSE).stopped_at == START + 2 * H


class TestResolution:
    def test_waiting_for_the_customer_pauses_it(self):
        events = [opened(), status(START + H, lifecycle.WAITING_CUSTOMER)]
        assert replay(events).due_at(sla.RESOLUTION) is None
        events.append(status(START + 6 * H, lifecycle.IN_PROGRESS))
        assert replay(events).due_at(sla.RESOLUTION) == START + 29 * H

    def test_reopening_takes_up_where_it_stood(self):
        events = [
            opened(),
            status(START + 10 * H, lifecycle.RESOLVED),
            status(START + 50 * H, lifecycle.IN_PROGRESS),
        ]
        clock = replay(events).latest(sla.RESOLUTION)
        assert clock.stopped_at is None
        assert clock.due_at == START + 64 * H

    def test_reopening_into_waiting_stays_paused(self):
        events = [
            opened(),
            status(START + H, lifecycle.RESOLVED),
            status(START + 2 * H, lifecycle.WAITING_CUSTOMER),
        ]
        clock = replay(events).latest(sla.RESOLUTION)
        assert clock.stopped_at is None
        assert clock.due_at is None
        assert clock.elapsed == H

    def test_closing_the_resolved_keeps_the_time_of_resolution(self):
        events = [
            opened(),
            status(START + H, lifecycle.RESOLVED),
            status(START + 90 * H, lifecycle.CLOSED),
        ]
        clock = replay(events).latest(sla.RESOLUTION)
        assert clock.stopped_at == START + H
        assert clock.breached_at is None

    def test_a_breach_stays_on_record(self):
        events = [
            opened(),
            status(START + 30 * H, lifecycle.WAITING_CUSTOMER),
            status(START + 40 * H, lifecycle.IN_PROGRESS),
        ]
        clock = replay(events).latest(sla.RESOLUTION)
        assert clock.breached_at == clock.due_at == START + 24 * H


class TestTargets:
    def test_a_higher_priority_keeps_the_time_already_used(self):
        urgent = Targets(BusinessHours(), H, H, 12 * H)
        timeline = replay([opened(), SlaEvent(START + 2 * H, sla.TARGETS, targets=urgent)])
        assert timeline.due_at(sla.RESOLUTION) == START + 12 * H
        # The hour had passed before it was promised: due at the change, not in the past.
        assert timeline.due_at(sla.FIRST_RESPONSE) == START + 2 * H

    def test_losing_the_policy_ends_the_promises_but_not_the_measuring(self):
        timeline = replay([opened(), SlaEvent(START + H, sla.TARGETS)])
        assert timeline.next_due() is None
        assert timeline.latest(sla.FIRST_RESPONSE).elapsed_at(START + 3 * H) == 3 * H

    def test_next_due_skips_what_is_on_record(self):
        timeline = replay([opened()])
        assert timeline.next_due() == START + 4 * H
        assert timeline.next_due({(sla.FIRST_RESPONSE, 1)}) == START + 24 * H

    def test_the_order_of_the_log_wins_over_clocks_that_disagree(self):
        timeline = replay([opened(), staff(START - H)])
        assert timeline.latest(sla.FIRST_RESPONSE).stopped_at == START


targets = st.builds(
    Targets,
    calendars,
    *[st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(hours=30)))] * 3,
)
steps = st.lists(
    st.tuples(
        st.timedeltas(timedelta(0), timedelta(days=9)),
        st.sampled_from(
            [(sla.STAFF_REPLY, ""), (sla.CUSTOMER_REPLY, "")]
            + [(sla.STATUS, s) for s in lifecycle.STATUSES if s != lifecycle.NEW]
        ),
    ),
    max_size=8,
)


def log(start, promise, rows):
    events, at = [opened(start, promise)], start
    for after, (kind, value) in rows:
        at += after
        events.append(SlaEvent(at, kind, value))
    return events


@given(moments, targets, steps)
@settings(max_examples=60, deadline=None)
def test_every_clock_holds_together(start, promise, rows):
    events = log(start, promise, rows)
    timeline = replay(events)
    end = events[-1].at + 50 * H
    assert len({c.key for c in timeline.clocks}) == len(timeline.clocks)
    for clock in timeline.breaches(end):
        assert clock.elapsed_at(end) >= clock.target
    for clock in timeline.clocks:
        whole = promise.hours.elapsed(clock.started_at, clock.stopped_at or end)
        assert timedelta(0) <= clock.elapsed_at(end) <= whole
        if clock.is_running and clock.target is not None and clock.breached_at is None:
            used = promise.hours.elapsed(clock.running_since, clock.due_at)
            assert clock.elapsed + used == max(clock.target, clock.elapsed)


@given(moments, targets, steps)
@settings(max_examples=60, deadline=None)
def test_a_breach_once_seen_is_never_taken_back(start, promise, rows):
    events = log(start, promise, rows)
    seen = []
    for length in range(1, len(events) + 1):
        seen.append({c.key for c in replay(events[:length]).breaches(events[length - 1].at)})
    assert all(earlier <= later for earlier, later in pairwise(seen))


@given(calendars, moments, st.timedeltas(timedelta(0), timedelta(days=20)),
       st.timedeltas(timedelta(0), timedelta(days=20)),
       st.timedeltas(timedelta(hours=1), timedelta(hours=30)))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_pause_shifts_the_due_moment_exactly(hours, start, before, pause, amount):
    promise = Targets(hours, resolution=amount)
    stop, resume = start + before, start + before + pause
    undisturbed = replay([opened(start, promise)]).due_at(sla.RESOLUTION)
    paused = replay(
        [
            opened(start, promise),
            status(stop, lifecycle.WAITING_CUSTOMER),
            status(resume, lifecycle.IN_PROGRESS),
        ]
    ).latest(sla.RESOLUTION)
    if undisturbed < stop:
        assert paused.breached_at == undisturbed
        return
    lost = hours.elapsed(stop, resume)
    assert hours.elapsed(start, paused.due_at) == amount + lost or paused.due_at == resume
    if paused.due_at != resume:
        assert hours.elapsed(undisturbed, paused.due_at) == lost


@pytest.mark.parametrize("source", lifecycle.STATUSES)
def test_no_status_leads_back_to_new(source):
    assert not lifecycle.may_become(source, lifecycle.NEW)
    assert not lifecycle.may_become(source, source)


class TestPausing:
    def test_what_was_used_before_each_pause_adds_up(self):
        events = [opened()]
        for hour in (0, 10, 20):
            events += [
                status(START + (hour + 1) * H, lifecycle.WAITING_CUSTOMER),
                status(START + (hour + 10) * H, lifecycle.IN_PROGRESS),
            ]
        clock = replay(events).latest(sla.RESOLUTION)
        assert clock.elapsed == 3 * H
        assert clock.due_at == START + 30 * H + 21 * H

    def test_a_paused_clock_is_due_at_no_time(self):
        timeline = replay([opened(), status(START + H, lifecycle.WAITING_CUSTOMER)])
        assert timeline.latest(sla.RESOLUTION).due_at is None
        assert timeline.due_at(sla.RESOLUTION) is None
        assert replay([opened()]).due_at(sla.NEXT_RESPONSE) is None

    def test_a_stopped_clock_keeps_when_it_was_due(self):
        clock = replay([opened(), staff(START + H)]).latest(sla.FIRST_RESPONSE)
        assert clock.due_at == START + 4 * H

    def test_new_targets_do_not_reopen_what_was_answered(self):
        longer = Targets(BusinessHours(), 9 * H, 9 * H, 99 * H)
        events = [opened(), staff(START + H), SlaEvent(START + 2 * H, sla.TARGETS, targets=longer)]
        timeline = replay(events)
        assert timeline.latest(sla.FIRST_RESPONSE).targets == ALWAYS
        assert timeline.due_at(sla.RESOLUTION) == START + 99 * H

    def test_targets_count_for_a_promise_that_was_kept_and_may_be_asked_again(self):
        longer = Targets(BusinessHours(), 9 * H, 9 * H, 99 * H)
        events = [
            opened(),
            status(START + H, lifecycle.RESOLVED),
            SlaEvent(START + 2 * H, sla.TARGETS, targets=longer),
            status(START + 3 * H, lifecycle.IN_PROGRESS),
        ]
        assert replay(events).due_at(sla.RESOLUTION) == START + 3 * H + 98 * H
