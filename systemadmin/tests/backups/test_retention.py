from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.backups.retention_rule import Candidate, Rule, decide

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def daily(days, *, until=NOW, **changes):
    """One backup a day, made in the order of their moments; the key is the age in days."""
    return [
        Candidate(
            key=n,
            taken_at=until - timedelta(days=n, hours=1),
            is_good=True,
            made=(1, days - n),
            **changes,
        )
        for n in range(days)
    ]


def kept(candidates, rule):
    return {d.key: d.reason for d in decide(candidates, rule) if d.keep}


def after(candidates, moment, key=1000):
    """What was there, and one more made last, which states this moment."""
    return [*candidates, Candidate(key=key, taken_at=moment, is_good=True, made=(1, 10_000 + key))]


def test_seven_days_by_default():
    assert set(kept(daily(30), Rule())) == set(range(7))


def test_many_of_one_day_push_nothing_out():
    burst = [
        Candidate(key=100 + n, taken_at=NOW - timedelta(minutes=n), is_good=True, made=(1, 100 - n))
        for n in range(50)
    ]
    assert set(range(6)) <= set(kept(daily(30) + burst, Rule()))


def test_weekly_and_monthly_keep_the_newest_of_each():
    reasons = kept(daily(120), Rule(days=7, weeks=5, months=4))
    weekly = [key for key, reason in reasons.items() if reason == "weekly"]
    monthly = [key for key, reason in reasons.items() if reason == "monthly"]
    # 23 November is a Monday, kept as a daily one, and so is Sunday the 22nd.
    assert [(NOW - timedelta(days=n, hours=1)).strftime("%m-%d") for n in weekly] == [
        "11-15",
        "11-08",
        "11-01",
    ]
    assert [(NOW - timedelta(days=n, hours=1)).strftime("%m-%d") for n in monthly] == [
        "10-31",
        "09-30",
        "08-31",
    ]


def test_the_last_good_one_stays_however_old():
    old = [Candidate(key=1, taken_at=NOW - timedelta(days=900), is_good=True)]
    assert kept(old, Rule(days=0)) == {1: "floor"}


def test_so_many_of_the_newest_stay():
    assert kept(daily(9), Rule(days=0, floor=4)) == dict.fromkeys(range(4), "floor")


def test_a_newer_bad_one_does_not_count_for_the_floor():
    candidates = [
        Candidate(key=1, taken_at=NOW - timedelta(days=900), is_good=True),
        Candidate(key=2, taken_at=NOW - timedelta(days=800), is_good=False),
    ]
    assert kept(candidates, Rule(days=0)) == {1: "floor"}


def test_the_last_verified_one_stays():
    candidates = daily(40)
    candidates[39] = Candidate(
        key=39, taken_at=candidates[39].taken_at, is_good=True, is_verified=True, made=(1, 1)
    )
    assert kept(candidates, Rule())[39] == "last verified"


def test_pins_stay():
    assert 29 in kept(daily(29) + daily(30, is_pinned=True)[29:], Rule())


@pytest.mark.parametrize("bad", [{"days": -1}, {"floor": 0}, {"weeks": -2}])
def test_a_rule_that_keeps_nothing_is_refused(bad):
    with pytest.raises(ValueError):
        Rule(**bad)


# -- the clock -------------------------------------------------------------------------

JUMPS = [timedelta(days=8), timedelta(days=3653), timedelta(days=-8), timedelta(days=-3653)]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_jumps_expires_nothing_that_should_stay(jump):
    rule = Rule(days=7, weeks=4, months=3)
    stay = set(kept(daily(120), rule))
    assert stay <= set(kept(after(daily(120), NOW + jump), rule))


@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_stays_wrong_ages_backups_by_the_days_that_pass(jump):
    backups = daily(10)
    for day in range(5):
        backups = after(backups, NOW + jump + day * DAY, key=1000 + day)
    # The newest is five days after the jump, so three of the days before it are still young.
    assert set(kept(backups, Rule(days=7))) - {1000, 1001, 1002, 1003, 1004} == {0, 1, 2}


def test_days_without_any_backup_make_none_older():
    """After a month of failures the week before it is all there is."""
    assert set(kept(after(daily(10), NOW + 30 * DAY), Rule())) == {*range(7), 1000}


def test_what_is_gone_shows_that_time_passed():
    gone = [
        Candidate(
            key=100 + n,
            taken_at=NOW - n * DAY,
            is_good=True,
            is_stored=False,
            made=(1, 50 - n),
        )
        for n in range(20)
    ]
    old = Candidate(key=1, taken_at=NOW - 21 * DAY, is_good=True, made=(1, 1))
    new = Candidate(key=2, taken_at=NOW, is_good=True, made=(1, 99))
    assert set(kept([old, new, *gone], Rule())) == {2}


# -- properties, and the rule told once more -------------------------------------------

candidate_lists = st.lists(
    st.builds(
        Candidate,
        key=st.integers(1, 10_000),
        taken_at=st.integers(0, 114 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
        is_good=st.booleans(),
        is_verified=st.booleans(),
        is_pinned=st.booleans(),
        is_stored=st.booleans(),
        made=st.tuples(st.integers(0, 1), st.integers(0, 10_000)),
    ),
    max_size=40,
    unique_by=(lambda item: item.key, lambda item: item.made),
)
rules = st.builds(
    Rule,
    days=st.integers(0, 30),
    weeks=st.integers(0, 8),
    months=st.integers(0, 12),
    floor=st.integers(1, 5),
    longest_gap=st.integers(1, 20).map(lambda days: days * DAY),
)


def reference(candidates, rule):
    """Keys that stay: the rule reckoned anew, from the oldest to the newest."""
    oldest_first = sorted(candidates, key=lambda c: c.made)
    clock, reading, jumps_at = timedelta(), {}, []
    for number, item in enumerate(oldest_first):
        if number:
            step = item.taken_at - oldest_first[number - 1].taken_at
            if step < timedelta() or step > rule.longest_gap:
                jumps_at.append(clock)
            else:
                clock += step
        reading[item.key] = clock
    window = clock - rule.days * DAY
    jumps = sum(1 for moment in jumps_at if moment > window)
    stored = [c for c in reversed(oldest_first) if c.is_stored]
    good = [c for c in stored if c.is_good]
    stay = {c.key for c in stored if c.is_pinned or reading[c.key] > window}
    stay |= {c.key for c in good[: rule.floor]}
    stay |= {c.key for c in sorted(good, key=lambda c: (c.taken_at, c.key))[-rule.floor :]}
    stay |= {c.key for c in [c for c in good if c.is_verified][:1]}
    for number, form in ((rule.weeks, "%G-%V"), (rule.months, "%Y-%m")):
        runs = [
            (moment, next(items).key)
            for moment, items in groupby(good, key=lambda c, form=form: c.taken_at.strftime(form))
        ]
        allowed = list(dict(runs))[: number + jumps if number else 0]
        stay |= {key for moment, key in runs if moment in allowed}
    return stay


@given(candidate_lists, rules)
def test_the_decision_is_that_of_an_independent_reckoning(candidates, rule):
    decisions = decide(candidates, rule)
    assert {d.key for d in decisions if d.keep} == reference(candidates, rule)
    assert {d.key for d in decisions} == {c.key for c in candidates if c.is_stored}


@given(candidate_lists, rules)
def test_deciding_again_over_what_stayed_changes_nothing(candidates, rule):
    keep = {d.key for d in decide(candidates, rule) if d.keep}
    left = [
        c
        if c.key in keep or not c.is_stored
        else Candidate(c.key, c.taken_at, c.is_good, is_stored=False, made=c.made)
        for c in candidates
    ]
    assert {d.key for d in decide(left, rule) if d.keep} == keep


@given(candidate_lists, rules)
def test_the_order_of_the_list_does_not_matter(candidates, rule):
    assert decide(candidates, rule) == decide(candidates[::-1], rule)


def test_each_kept_one_says_why():
    rule = Rule(days=2, weeks=0, months=0, floor=1)
    stored = daily(6)
    stored[3] = replace(stored[3], is_pinned=True)
    stored[4] = replace(stored[4], is_verified=True)
    stored[5] = replace(stored[5], is_verified=True)
    assert kept(stored, rule) == {0: "daily", 1: "daily", 3: "pinned", 4: "last verified"}
