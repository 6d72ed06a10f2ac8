from datetime import UTC, date, datetime, time, timedelta

import businesstimedelta
import pytest
import pytz
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.business_hours import (
    BusinessHours,
    Window,
    format_minutes,
    hours_from_json,
)
from systemadmin.foundation.parsing import parse_time_of_day

ZONES = ["UTC", "Europe/Madrid", "America/New_York", "America/Santiago", "Asia/Kolkata",
         "Australia/Lord_Howe", "America/Havana"]  # fmt: skip
H = timedelta(hours=1)


def office(timezone="Europe/Madrid", holidays=()):
    """Monday to Friday with a lunch break."""
    windows = [
        Window(day, parse_time_of_day(a), parse_time_of_day(b))
        for day in range(5)
        for a, b in (("09:00", "14:00"), ("15:00", "18:00"))
    ]
    return BusinessHours(timezone, tuple(windows), frozenset(holidays))


windows = st.builds(
    lambda day, start, length: Window(day, start, min(1440, start + length)),
    st.integers(0, 6),
    st.integers(0, 1380),
    st.integers(120, 700),
)
calendars = st.builds(
    BusinessHours,
    st.sampled_from(ZONES),
    st.lists(windows, min_size=2, max_size=8).map(tuple),
    st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5),
)
moments = st.datetimes(
    datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)
)  # a year has both clock changes
spans = st.timedeltas(timedelta(0), timedelta(hours=40))


@given(calendars, moments, moments, moments)
@settings(max_examples=80, deadline=None)
def test_elapsed_time_adds_up(hours, a, b, c):
    a, b, c = sorted((a, b, c))
    assert hours.elapsed(a, b) + hours.elapsed(b, c) == hours.elapsed(a, c)


@given(calendars, moments, spans)
@settings(max_examples=80, deadline=None)
def test_due_is_the_first_moment_that_uses_the_span_up(hours, start, amount):
    due = hours.due(start, amount)
    assert hours.elapsed(start, due) == amount
    if amount:
        assert hours.elapsed(start, due - timedelta(microseconds=1)) < amount


@given(calendars, moments, spans, spans)
@settings(max_examples=80, deadline=None)
def test_due_may_be_reached_in_two_steps(hours, start, first, second):
    assume(second)
    assert hours.due(hours.due(start, first), second) == hours.due(start, first + second)


@given(calendars, moments, moments)
@settings(max_examples=100, deadline=None)
def test_spans_are_ordered_and_apart(hours, a, b):
    reached = None
    for opens, closes in hours.spans(a, b):
        assert a <= opens < closes <= b
        assert reached is None or opens >= reached
        reached = closes


@given(
    st.sampled_from(["UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata"]),
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(6, 12), st.integers(13, 20)),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[0],
    ),
    moments,
    st.timedeltas(timedelta(0), timedelta(days=40)),
)
@settings(max_examples=60, deadline=None)
def test_agrees_with_an_independent_library(timezone, rows, start, length):
    """Away from the hour of the clock change, where that library is not defined."""
    start = start.replace(microsecond=0)
    end = start + timedelta(seconds=int(length.total_seconds()))
    ours = BusinessHours(timezone, tuple(Window(d, a * 60, b * 60) for d, a, b in rows))
    theirs = businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(
                start_time=time(a), end_time=time(b), working_days=[d], tz=pytz.timezone(timezone)
            )
            for d, a, b in rows
        ]
    )
    difference = theirs.difference(start, end)
    expected = timedelta(hours=difference.hours, seconds=difference.seconds)
    assert ours.elapsed(start, end) == expected


def test_lunch_is_not_counted():
    hours = office()
    start = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)  # Monday 13:30 in Madrid
    assert hours.elapsed(start, start + 2 * H) == H
    assert hours.due(start, H) == datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def test_nights_weekends_and_holidays_are_not_counted():
    hours = office(holidays=[date(2026, 3, 9)])
    friday_evening = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)  # 17:00 in Madrid
    tuesday = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)  # 10:00 in Madrid
    assert hours.elapsed(friday_evening, tuesday) == 2 * H
    assert hours.due(friday_evening, 2 * H) == tuesday


def test_the_office_keeps_its_wall_clock_across_a_clock_change():
    hours = office()
    friday = datetime(2026, 3, 27, 16, 0, tzinfo=UTC)  # 17:00, winter time
    assert hours.due(friday, 2 * H) == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)  # 10:00, summer


def test_an_hour_that_happens_twice_counts_twice():
    hours = BusinessHours("Europe/Madrid", (Window(6, 60, 240),))  # Sunday 01:00 to 04:00
    around = datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)
    assert hours.elapsed(*around) == 4 * H


def test_an_hour_that_never_happens_is_not_counted():
    hours = BusinessHours("Europe/Madrid", (Window(6, 60, 240),))
    around = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    assert hours.elapsed(*around) == 2 * H


@pytest.mark.parametrize(("opens", "closes", "expected"), [(120, 180, 0), (150, 240, 60)])
def test_a_window_edge_inside_the_missing_hour_moves_to_the_change(opens, closes, expected):
    hours = BusinessHours("Europe/Madrid", (Window(6, opens, closes),))
    around = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    assert hours.elapsed(*around) == timedelta(minutes=expected)


def test_windows_of_one_day_never_count_a_moment_twice():
    overlapping = BusinessHours("UTC", (Window(0, 540, 720), Window(0, 660, 780)))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    assert overlapping.elapsed(monday, monday + 24 * H) == 4 * H


def test_no_windows_means_always_open_except_on_holidays():
    hours = BusinessHours("UTC", (), frozenset({date(2026, 3, 3)}))
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert hours.due(start, 24 * H) == datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert BusinessHours().elapsed(start, start + 30 * H) == 30 * H


def test_backwards_nothing_has_passed():
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert office().elapsed(start, start - H) == timedelta(0)
    assert BusinessHours().elapsed(start, start - H) == timedelta(0)


@pytest.mark.parametrize("window", [(7, 0, 10), (0, 10, 10), (0, 10, 5), (0, 0, 1441), (-1, 0, 1)])
def test_refuses_impossible_windows(window):
    with pytest.raises(ValueError):
        Window(*window)


@pytest.mark.parametrize("text", ["9", "25:00", "24:01", "09:60", "aa:bb", "9:5", "-1:00", ""])
def test_refuses_impossible_times(text):
    with pytest.raises(ValueError):
        parse_time_of_day(text)


@given(st.integers(0, 1440))
def test_times_of_day_survive_the_trip(minutes):
    assert parse_time_of_day(format_minutes(minutes)) == minutes


def test_reads_the_stored_form():
    stored = {
        "timezone": "Europe/Madrid",
        "windows": {"0": [["09:00", "14:00"], ["15:00", "24:00"]]},
        "holidays": ["2026-12-25"],
    }
    hours = hours_from_json(stored)
    assert hours.windows == (Window(0, 540, 840), Window(0, 900, 1440))
    assert hours.holidays == {date(2026, 12, 25)}


def test_stored_hours_without_a_part_have_its_default():
    assert hours_from_json({}) == BusinessHours("UTC")
    assert hours_from_json({"timezone": ""}) == BusinessHours("UTC")
    stored = {"timezone": "Asia/Kolkata", "windows": {"0": [["09:00", "14:00"]]}}
    assert hours_from_json(stored) == BusinessHours("Asia/Kolkata", (Window(0, 540, 840),))
    day_off = hours_from_json({"holidays": ["2026-03-02"]})
    assert day_off == BusinessHours("UTC", (), frozenset([date(2026, 3, 2)]))


@pytest.mark.parametrize(
    ("window", "limit"),
    [((7, 0, 60), "weekday"), ((-1, 0, 60), "weekday"), ((0, 60, 60), "starts before"),
     ((0, -1, 60), "starts before"), ((0, 0, 1441), "starts before")],
)  # fmt: skip
def test_a_window_lies_within_one_day_of_the_week(window, limit):
    with pytest.raises(ValueError, match=limit):
        Window(*window)
    assert Window(6, 0, 1440).end == 1440


@pytest.mark.parametrize(
    ("zone", "day", "opens", "instant"),
    [
        # Spring forward: 02:30 does not exist, the clocks jump at 02:00.
        ("Europe/Madrid", date(2026, 3, 29), 150, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 8), 150, datetime(2026, 3, 8, 7, tzinfo=UTC)),
        # Half an hour only, and at midnight.
        ("Australia/Lord_Howe", date(2026, 10, 4), 135, datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("America/Havana", date(2026, 3, 8), 30, datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ],
)
def test_a_time_that_does_not_exist_is_when_the_clocks_jump(zone, day, opens, instant):
    hours = BusinessHours(zone, (Window(day.weekday(), opens, 1440),))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    first, _closes = next(hours.spans(start, start + timedelta(days=4)))
    assert first == instant


def test_windows_that_touch_or_overlap_are_one():
    parts = (Window(0, 540, 600), Window(0, 600, 660), Window(0, 620, 640), Window(0, 700, 720))
    hours = BusinessHours("UTC", parts)
    assert hours.by_weekday[0] == ((540, 660), (700, 720))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    assert hours.elapsed(monday, monday + timedelta(days=1)) == timedelta(minutes=140)
