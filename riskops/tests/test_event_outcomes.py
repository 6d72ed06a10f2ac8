"""Outcomes of events and counterparties: their door, and what scores make of what was known."""

from datetime import datetime, timedelta
from itertools import count

import numpy as np
import pytest
from django.contrib.auth.models import Permission

from riskops.account_sets import Accounts
from riskops.models import EventOutcome, PendingScore
from riskops.scores.aggregates import MeasuredEvents, _unusual
from riskops.scores.facts import to_micros
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import InvalidRuleset, Ruleset
from riskops.scores.written_factors import SMOOTHED, SMOOTHING, read_measured
from riskops.tests.factories import NOW, event, record
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
PATH = "/api/risk/outcomes"
_keys = count(1)


@pytest.fixture
def service(as_user):
    user = UserFactory(username="shop")
    user.user_permissions.add(Permission.objects.get(codename="add_eventoutcome"))
    return as_user(user)


def paid(account, days, shop="terminal-1", **fields):
    key = f"p{next(_keys)}"
    record(
        event(account, "transfer", occurred_at=NOW - days * DAY, external_id=key,
              counterparty_wallet=shop, amount=100, currency="EUR", **fields),
        source="shop",
    )  # fmt: skip
    return key


def told(service, *rows, status=200):
    answer = service.post(PATH, {"outcomes": list(rows)}, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


def rules(**measure):
    return Ruleset.from_dict(
        {
            "factors": [
                {
                    "code": "own_one", "title": "Own", "family": "trading", "points": 10,
                    "mode": "each", "per": 100, "window": 86_400,
                    "measure": {"kinds": ["transfer"], **measure},
                }
            ]
        }
    )  # fmt: skip


COUNTERPARTY = {"aggregate": "counterparty", "past": 14 * 86_400, "delay": 7 * 86_400}


def counted(account, at=NOW, **measure):
    found = read_measured(
        np.array([account.pk]),
        Accounts.listed([account.pk]),
        rules(**(measure or COUNTERPARTY)),
        at=at,
        at_micros=to_micros(at),
    )["own_one"]
    return int(found.count[0])


def test_outcomes_are_taken_row_by_row_and_the_latest_counts(service, member):
    key = paid(member, 9)
    PendingScore.objects.all().delete()
    answer = told(
        service,
        {"event": key, "fraud": True, "known_at": "2026-02-25T10:00:00Z"},
        {"event": "nobody", "fraud": True},
        {"fraud": True},
        {"event": key, "counterparty": "terminal-1", "fraud": True},
        {"event": key, "fraud": "maybe"},
        {"event": key, "fraud": True, "known_at": "2999-01-01T00:00:00Z"},
        {"event": key, "fraud": True, "why": "x"},
        {"counterparty": "terminal-9", "fraud": True},
        7,
    )
    assert answer["recorded"] == 1
    assert [(one["index"], one["field"], one["code"]) for one in sorted(
        answer["refused"], key=lambda one: one["index"])] == [
        (1, "event", "unknown_event"),
        (2, "event", "one_of_two"),
        (3, "event", "one_of_two"),
        (4, "fraud", "not_a_truth"),
        (5, "known_at", "in_the_future"),
        (6, "why", "unknown_field"),
        (7, "counterparty", "unknown_counterparty"),
        (8, "", "not_an_object"),
    ]  # fmt: skip
    assert PendingScore.objects.filter(account=member).exists()
    told(service, {"event": key, "fraud": False})
    row = EventOutcome.objects.get()
    assert (row.is_fraud, row.account, row.counterparty.value) == (False, member, "terminal-1")
    problem(service.post(PATH, {"outcomes": []}, format="json"), 400)


def test_a_counterparty_is_judged_by_what_was_known(service, member, other_member):
    keys = [paid(other_member, days) for days in (20, 15, 10, 9, 8)]
    paid(other_member, 3)  # too late to be known
    paid(member, 0.5)
    for key in keys[1:3]:
        told(service, {"event": key, "fraud": True, "known_at": (NOW - DAY).isoformat()})
    expected = 1000 * (200 + SMOOTHED) // (100 * (5 + SMOOTHING))
    assert counted(member) == expected
    # A day and a half ago nobody knew.
    paid(member, 2)
    assert counted(member, at=NOW - 1.5 * DAY) == 0
    # Of a counterparty without a bad outcome nothing is said.
    stranger = UserFactory()
    paid(stranger, 0.5, shop="terminal-2")
    assert counted(stranger) == 0


def test_a_counterparty_named_as_such_is_bad_from_then_on(service, member):
    paid(member, 0.5)
    told(service, {"counterparty": "terminal-1", "fraud": True,
                   "known_at": (NOW - 2 * timedelta(hours=1)).isoformat()})  # fmt: skip
    assert counted(member) == 1000
    assert counted(member, at=NOW - timedelta(hours=3)) == 0
    told(service, {"counterparty": "terminal-1", "fraud": False})
    assert counted(member) == 0


def test_one_account_and_everyone_get_the_same(service):
    accounts = [UserFactory() for _ in range(5)]
    keys = [
        paid(account, days, shop=f"terminal-{(number + days) % 3}")
        for number, account in enumerate(accounts)
        for days in (12, 11, 9, 8)
    ]
    for number, account in enumerate(accounts):
        paid(account, 0.25, shop=f"terminal-{number % 3}")
    told(service, *({"event": key, "fraud": True, "known_at": (NOW - DAY).isoformat()}
                    for key in keys[::3]))  # fmt: skip
    own = rules(**COUNTERPARTY)
    together = fresh_scores(Accounts.listed([a.pk for a in accounts]), own, at=NOW).counts
    single = [fresh_scores(Accounts.listed([a.pk]), own, at=NOW).counts[0] for a in accounts]
    assert together.tolist() == [row.tolist() for row in single]
    assert together[:, -1].max() > 0


def test_the_share_holds_until_the_next_full_hour(service, member):
    paid(member, 0.25)
    moment = NOW + timedelta(minutes=20)
    found = read_measured(
        np.array([member.pk]), Accounts.listed([member.pk]), rules(**COUNTERPARTY),
        at=moment, at_micros=to_micros(moment),
    )["own_one"]  # fmt: skip
    assert int(found.changes_at[0]) == to_micros(datetime(2026, 3, 1, 13, tzinfo=NOW.tzinfo))


def test_something_unusual_is_told_only_with_a_past(member):
    for days in (10, 9, 8, 7):
        paid(member, days, device="usual")
    paid(member, 0.5, device="other")
    measure = {"aggregate": "unusual", "field": "device", "past": 30 * 86_400}
    assert counted(member, **measure) == 0, "four are no habit"
    paid(member, 6, device="other")
    assert counted(member, **measure) == 800
    paid(member, 0.25, device="third")
    assert counted(member, **measure) == 1000


def test_unusual_agrees_with_counting_one_by_one():
    dice = np.random.default_rng(3)
    size, number = 6, 300
    found = MeasuredEvents(
        row=dice.integers(0, size, number), at=dice.integers(0, 100, number),
        value=dice.integers(0, 4, number), chosen=np.ones(number, dtype=bool),
        other=np.zeros(number, dtype=bool),
    )  # fmt: skip
    now, past = found.at > 80, found.at <= 80
    expected = []
    for row in range(size):
        before = [v for v, r, p in zip(found.value, found.row, past, strict=True) if p and r == row]
        mine = [v for v, r, n in zip(found.value, found.row, now, strict=True) if n and r == row]
        shares = [sum(b != v for b in before) * 1000 // len(before) for v in mine]
        expected.append(max(shares, default=0))
    assert _unusual(found, now, past, size, 5).tolist() == expected


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"aggregate": "counterparty"}, "past"),
        ({"aggregate": "counterparty", "past": 86_400, "delay": -1}, "delay"),
        ({"aggregate": "count", "delay": 5}, "delay"),
        ({"aggregate": "unusual", "past": 86_400}, "field"),
        ({"aggregate": "count", "past": 86_400}, "past"),
    ],
)
def test_wrong_measures_name_the_field(wrong, place):
    with pytest.raises(InvalidRuleset) as refused:
        rules(**wrong)
    assert f"factors.0.measure.{place}" in refused.value.errors
