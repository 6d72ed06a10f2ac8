"""Sliding windows: exact at their edges, and never more than the limit in any stretch."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.quotas import (
    DEFAULT_WINDOWS,
    Tier,
    Window,
    largest_limit,
    longest,
    parse_windows,
    refusal,
    remaining,
)
from systemadmin.foundation.configuration import declared_settings
from systemadmin.foundation.parsing import Unreadable
from systemadmin.services.configuration import check_value

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STANDARD = parse_windows(DEFAULT_WINDOWS[Tier.STANDARD])


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=s) for s in seconds]


def test_the_shipped_windows_are_two_a_minute_five_in_ten_fifteen_an_hour_fifty_a_day():
    assert (Window(2, 60), Window(5, 600), Window(15, 3600), Window(50, 86_400)) == STANDARD


def test_trust_only_ever_widens_a_window():
    tiers = [parse_windows(DEFAULT_WINDOWS[tier]) for tier in Tier]
    for less, more in pairwise(tiers):
        assert all(a.limit <= b.limit for a, b in zip(less, more, strict=True))


def test_the_third_in_a_minute_waits_until_the_first_is_a_minute_old():
    assert refusal(STANDARD, ago(10), NOW) is None
    refused = refusal(STANDARD, ago(10, 25), NOW)
    assert refused.window == Window(2, 60)
    assert refused.retry_after == 35


def test_a_message_exactly_a_window_old_no_longer_counts():
    assert refusal(STANDARD, ago(60, 60), NOW) is None
    assert refusal(STANDARD, ago(59.999, 59.999), NOW).retry_after == 1


def test_the_longest_wait_of_all_full_windows_is_told():
    times = ago(1, 2, 100, 200, 300)
    assert refusal(STANDARD, times, NOW) == refusal((Window(5, 600),), times, NOW)


def test_a_limit_of_zero_refuses_everything():
    assert refusal((Window(0, 60),), [], NOW).retry_after == 60


def test_remaining_is_what_the_tightest_window_leaves():
    assert remaining(STANDARD, [], NOW) == 2
    assert remaining(STANDARD, ago(5), NOW) == 1
    assert remaining(STANDARD, ago(100, 200, 300, 400), NOW) == 1
    assert remaining(STANDARD, ago(1, 2, 3), NOW) == 0


@pytest.mark.parametrize("row", ["", "2", "2/", "/60", "-1/60", "2/0", "2/86401", "a/b", "2/60/3"])
def test_a_malformed_window_is_named(row):
    with pytest.raises(ValueError):
        parse_windows([row])


def test_reach_and_depth_of_a_set_of_windows():
    assert longest(STANDARD) == 86_400
    assert largest_limit(STANDARD) == 50
    assert longest(()) == largest_limit(()) == 0


@given(st.lists(st.integers(0, 4000), max_size=120))
def test_a_sender_who_obeys_never_exceeds_any_window(gaps):
    sent: list[datetime] = []
    clock = NOW
    for gap in gaps:
        clock += timedelta(seconds=gap)
        if refusal(STANDARD, sent, clock) is None:
            sent.insert(0, clock)
    for window in STANDARD:
        for at in sent:
            inside = [s for s in sent if at - timedelta(seconds=window.seconds) < s <= at]
            assert len(inside) <= window.limit


@given(st.lists(st.integers(0, 4000), max_size=120))
def test_waiting_as_told_is_enough(gaps):
    sent: list[datetime] = []
    clock = NOW
    for gap in gaps:
        clock += timedelta(seconds=gap)
        refused = refusal(STANDARD, sent, clock)
        if refused:
            clock += timedelta(seconds=refused.retry_after)
            assert refusal(STANDARD, sent, clock) is None
        sent.insert(0, clock)


@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[0-9²٣]{0,4}/[0-9²-]{0,6}", fullmatch=True),
            st.text(max_size=6),
            st.integers(),
            st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
        ),
        max_size=4,
    )
)
def test_quota_rows_are_accepted_exactly_when_they_are_read(rows):
    declared = declared_settings()["messaging.quota_new"]
    try:
        parse_windows([row if isinstance(row, str) else "" for row in rows])
        is_readable = True
    except Unreadable:
        is_readable = False
    assert (check_value(declared, rows) is None) == is_readable
