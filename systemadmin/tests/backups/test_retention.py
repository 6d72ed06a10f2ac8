from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.backups.retention import Candidate, Rule, decide

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def daily(days, **changes):
    return [
        Candidate(key=n, taken_at=NOW - timedelta(days=n, hours=1), is_good=True, **changes)
        for n in range(days)
    ]


def kept(candidates, rule):
    return {d.key: d.reason for d in decide(candidates, rule, NOW) if d.keep}


def test_seven_days_by_default():
    assert set(kept(daily(30), Rule())) == set(range(7))


def test_many_of_one_day_push_nothing_out():
    burst = [
        Candidate(key=100 + n, taken_at=NOW - timedelta(minutes=n), is_good=True) for n in range(50)
    ]
    assert set(range(7)) <= set(kept(daily(30) + burst, Rule()))


def test_weekly_and_monthly_keep_the_newest_of_each():
    reasons = kept(daily(120), Rule(days=7, weeks=5, months=4))
    weekly = [key for key, reason in reasons.items() if reason == "weekly"]
    monthly = [key for key, reason in reasons.items() if reason == "monthly"]
    # 23 November is a Monday; the newest of an earlier week is its Sunday.
    assert [(NOW - timedelta(days=n, hours=1)).isoweekday() for n in weekly] == [7] * len(weekly)
    assert [(NOW - timedelta(days=n, hours=1)).strftime("%m-%d") for n in monthly] == [
        "10-31",
        "09-30",
        "08-31",
    ]


def test_the_last_good_one_stays_however_old():
    old = [Candidate(key=1, taken_at=NOW - timedelta(days=900), is_good=True)]
    assert kept(old, Rule()) == {1: "floor"}


def test_a_newer_bad_one_does_not_count_for_the_floor():
    candidates = [
        Candidate(key=1, taken_at=NOW - timedelta(days=900), is_good=True),
        Candidate(key=2, taken_at=NOW - timedelta(days=800), is_good=False),
    ]
    assert kept(candidates, Rule()) == {1: "floor"}


def test_the_last_verified_one_stays():
    candidates = [
        Candidate(key=1, taken_at=NOW - timedelta(days=40), is_good=True, is_verified=True),
        Candidate(key=2, taken_at=NOW - timedelta(days=1), is_good=True),
    ]
    assert kept(candidates, Rule()) == {2: "daily", 1: "last verified"}


def test_pins_stay():
    assert 29 in kept(daily(29) + daily(30, is_pinned=True)[29:], Rule())


@pytest.mark.parametrize("bad", [{"days": -1}, {"floor": 0}, {"weeks": -2}])
def test_a_rule_that_keeps_nothing_is_refused(bad):
    with pytest.raises(ValueError):
        Rule(**bad)


candidate_lists = st.lists(
    st.builds(
        Candidate,
        key=st.integers(1, 10_000),
        taken_at=st.datetimes(datetime(2020, 1, 1), datetime(2026, 11, 23)).map(
            lambda moment: moment.replace(tzinfo=UTC)
        ),
        is_good=st.booleans(),
        is_verified=st.booleans(),
        is_pinned=st.booleans(),
    ),
    max_size=40,
    unique_by=lambda item: item.key,
)
rules = st.builds(
    Rule,
    days=st.integers(0, 30),
    weeks=st.integers(0, 8),
    months=st.integers(0, 12),
    floor=st.integers(1, 5),
)


@given(candidate_lists, rules)
def test_properties(candidates, rule):
    decisions = decide(candidates, rule, NOW)
    keep = {d.key for d in decisions if d.keep}
    good = sorted(
        (c for c in candidates if c.is_good), key=lambda c: (c.taken_at, c.key), reverse=True
    )
    assert len(decisions) == len(candidates)
    assert {c.key for c in candidates if c.is_pinned} <= keep
    assert {c.key for c in good[: rule.floor]} <= keep
    assert {c.key for c in candidates if NOW - c.taken_at < timedelta(days=rule.days)} <= keep
    # Deciding again over what stayed changes nothing.
    again = decide([c for c in candidates if c.key in keep], rule, NOW)
    assert all(d.keep for d in again)


@given(candidate_lists, rules)
def test_the_order_of_the_list_does_not_matter(candidates, rule):
    one = {d.key: d.keep for d in decide(candidates, rule, NOW)}
    two = {d.key: d.keep for d in decide(candidates[::-1], rule, NOW)}
    assert one == two
