"""What a rule would have done is what it does: back-test against decisions, SQL against numpy."""

import json
import random
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.decisions import backtest as trying
from riskops.decisions.backtest import backtest
from riskops.decisions.budget import OutOfTime
from riskops.decisions.conditions import MEASURE, ConditionReader
from riskops.decisions.keys import event_keys
from riskops.decisions.lists import add_list_entry
from riskops.decisions.rulebook import matching, rule_of
from riskops.decisions.rules import create_decision_rule
from riskops.models import AccountEvent, DecisionRule, ListEntry, RiskScoreHistory
from riskops.scores.facts import to_micros
from riskops.scores.outcomes import record_outcome
from riskops.scores.rules import Ruleset
from riskops.scores.rulesets import current_ruleset
from riskops.scores.written_factors import read_measured
from riskops.tests.factories import event, record
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)
KINDS = ("purchase", "transfer", "login_ok")


@pytest.fixture
def world():
    """Four accounts, sixty events of a day, two scores each in the course of it."""
    dice = random.Random(11)
    accounts = [
        UserFactory(email=f"a{n}@{n}.mail.test", date_joined=NOW - timedelta(days=3 * n + 1))
        for n in range(4)
    ]
    rules = current_ruleset()
    for account in accounts:
        for hours, score, level in ((23, 10, 0), (dice.randrange(1, 20), 70, 3)):
            RiskScoreHistory.objects.create(
                account=account, at=NOW - timedelta(hours=hours), cause="event", raw=score,
                computed=score, score=score, level=level, ruleset=rules, breakdown=[],
            )  # fmt: skip
    record(
        *(
            event(
                dice.choice(accounts),
                dice.choice(KINDS),
                occurred_at=NOW - timedelta(seconds=dice.randrange(60, 80_000)),
                ip=dice.choice([None, f"203.0.113.{dice.randrange(5)}", "2001:db8::5"]),
                device=dice.choice([None, "d1", "d2", "d3"]),
                counterparty_wallet=dice.choice([None, "0xab"]),
                amount=dice.choice([None, 5, 700, 40_000, -9]),
                currency="EUR",
                country=dice.choice(["", "ES", "FR"]),
                data=dice.choice(
                    [None, {"items": dice.randrange(5), "card": "c1", "email": "x@evil.test"}]
                ),
            )
            for _number in range(60)
        )
    )
    return accounts


def score_then(moment, account):
    rows = RiskScoreHistory.objects.filter(account=account, at__lte=moment).order_by("-id")
    return rows.values_list("score", "level").first() or (0, 0)


def in_the_moment(one):
    """The row that a decision about an event asks."""

    class Event:
        ip = one.ip.value if one.ip else None
        device = one.device.value if one.device else None
        wallet = one.wallet.value if one.wallet else None
        counterparty_wallet = one.counterparty_wallet.value if one.counterparty_wallet else None

    keys = event_keys(
        Event, account_id=one.account_id, email=one.account.email, data=one.data or {}
    )
    on = set(ListEntry.objects.matching(keys).values_list("list", flat=True))
    data = AccountEvent.objects.filter(pk=one.pk).values_list("data", flat=True).get()
    return (
        one.pk, one.account_id, one.kind, one.occurred_at, one.source, one.ip_id, one.device_id,
        one.wallet_id, one.counterparty_wallet_id, one.amount, one.currency, one.country,
        json.dumps(data) if data else None, *score_then(one.occurred_at, one.account),
        one.account.date_joined, *(int(name in on) for name in ("allow", "deny", "watch")),
    )  # fmt: skip


MEASURES = [
    {"aggregate": "count", "kinds": ["purchase", "transfer"]},
    {"aggregate": "distinct", "kinds": ["login_ok", "purchase"], "field": "ip"},
    {"aggregate": "distinct", "kinds": ["login_ok"], "field": "country"},
    {"aggregate": "distinct", "kinds": ["login_ok", "transfer"], "field": "hour"},
    {"aggregate": "distinct", "kinds": ["login_ok", "transfer"], "field": "day"},
    {"aggregate": "sum", "kinds": ["purchase"]},
    {"aggregate": "max", "kinds": ["purchase", "transfer"]},
    {"aggregate": "mean", "kinds": ["transfer"]},
    {"aggregate": "habit", "kinds": ["purchase", "transfer"], "past": 86400},
    {
        "aggregate": "share",
        "kinds": ["purchase", "login_ok"],
        "other": {
            "kinds": ["purchase"],
            "where": [{"field": "amount", "op": "at_least", "value": 6}],
        },
    },
    {
        "aggregate": "count",
        "kinds": ["purchase", "login_ok"],
        "where": [
            {"field": "data.items", "op": "at_least", "value": 2},
            {"field": "country", "op": "is_not", "value": "ES"},
        ],
    },
]


def asked(measure, window, op="at_least", value=1):
    return {"field": MEASURE, "op": op, "value": value, "measure": measure, "window": window}


@pytest.mark.parametrize("number", range(len(MEASURES)))
def test_a_measure_counts_in_the_moment_what_the_score_counts(world, number):
    window = (7200, 80_000, 600)[number % 3]
    rule = DecisionRule(code="r", title="r", conditions=[asked(MEASURES[number], window, value=0)])
    rules = Ruleset.from_dict(
        {
            "factors": [
                {
                    "code": "own_one", "title": "Own", "family": "trading", "points": 1,
                    "window": window, "measure": MEASURES[number],
                }
            ]
        }
    )  # fmt: skip
    seen, counted = [], []
    for one in AccountEvent.objects.order_by("pk").select_related("account"):
        (match,) = matching([rule_of(rule)], in_the_moment(one))
        seen.append(match.seen[0])
        found = read_measured(
            np.array([one.account_id]),
            Accounts.listed([one.account_id]),
            rules,
            at=one.occurred_at,
            at_micros=to_micros(one.occurred_at),
        )
        counted.append(int(found["own_one"].count[0]))
    assert seen == counted
    assert len(set(counted)) > 1


CONDITIONS = [
    {"field": "amount", "op": "at_least", "value": 6},
    {"field": "hour", "op": "at_most", "value": 12},
    {"field": "country", "op": "is_not", "value": "ES"},
    {"field": "data.items", "op": "at_least", "value": 2},
    {"field": "data.card", "op": "is", "value": "c1"},
    {"field": "score", "op": "at_least", "value": 50},
    {"field": "level", "op": "at_most", "value": "low"},
    {"field": "account_age", "op": "at_least", "value": 100},
    {"field": "new", "op": "is", "value": "device"},
    {"field": "new", "op": "is_not", "value": "ip"},
    {"field": "list", "op": "is", "value": "deny"},
    {"field": "list", "op": "is", "value": "watch"},
    {"field": "list", "op": "is_not", "value": "allow"},
    *(asked(one, 7200, value=2) for one in MEASURES),
]


def test_a_backtest_finds_the_events_that_a_decision_would_have(world, monkeypatch):
    monkeypatch.setattr(trying, "SAMPLES", 1000)
    for name, kind, value in (
        ("deny", "address", "203.0.113.0/30"),
        ("deny", "device", "d3"),
        ("watch", "wallet", "0xAB"),
        ("watch", "account", str(world[0].pk)),
        ("allow", "domain", "mail.test"),
        ("allow", "email", "x@evil.test"),
        ("watch", "card", "nobody"),
    ):
        add_list_entry(actor=None, list=name, kind=kind, value=value, reason="x")
    events = list(AccountEvent.objects.select_related("account"))
    dice = random.Random(5)
    hits = 0
    for round_ in range(60):
        chosen = dice.sample(CONDITIONS, dice.choice([1, 1, 2, 3]))
        if sum(one["field"] == MEASURE for one in chosen) > 3:
            continue
        kinds = dice.choice([[], ["purchase"], ["purchase", "login_ok"]])
        row = DecisionRule(code=f"r{round_}", title="r", kinds=kinds, conditions=chosen)
        assert not _faults(row)
        rule = rule_of(row)
        found = backtest(rule, start=NOW - timedelta(days=2), end=NOW)
        live = {one.pk for one in events if matching([rule], in_the_moment(one))}
        assert set(found.samples) == live, chosen
        assert found.matched == len(live)
        assert found.accounts == len({one.account_id for one in events if one.pk in live})
        hits += len(live)
    assert hits > 100


def _faults(row):
    reader = ConditionReader()
    reader.read(row.conditions)
    return reader.errors


def test_a_backtest_counts_what_is_known_by_now(world, superuser):
    record_outcome(actor=superuser, account=world[0], verdict="confirmed_fraud")
    record_outcome(actor=superuser, account=world[1], verdict="legitimate")
    row = DecisionRule(code="r", title="r", kinds=["purchase", "transfer"])
    found = backtest(rule_of(row), start=NOW - timedelta(days=2), end=NOW)
    inside = AccountEvent.objects.filter(kind__in=[9, 10])
    assert found.matched == found.events == inside.count()
    assert found.fraud_events == inside.filter(account=world[0]).count() > 0
    assert (found.fraud_accounts, found.good_accounts, found.known_fraud) == (1, 1, 1)
    assert (found.precision, found.recall) == (0.5, 1.0)
    assert sum(number for _day, number in found.days) == found.matched
    paid = [one.amount for one in inside if one.amount is not None]
    assert [(t.currency, t.events, t.amount) for t in found.totals] == [
        ("EUR", len(paid), sum(paid))
    ]


def test_a_command_tries_rules_and_refuses_wrong_ones(world):
    out = StringIO()
    create_decision_rule(
        actor=None,
        values={"code": "big", "title": "Big", "outcome": "review", "is_enabled": False,
                "conditions": [{"field": "amount", "op": "at_least", "value": 40_000}]},
    )  # fmt: skip
    call_command("backtest_decisions", "big", "--days", "3", stdout=out)
    number = AccountEvent.objects.filter(amount=40_000).count()
    assert f"big (review): {number} of 60 events" in out.getvalue()
    for wrong in (["nonsense"], ["big", "--days", "0"]):
        with pytest.raises(CommandError):
            call_command("backtest_decisions", *wrong)


# -- in the admin ------------------------------------------------------------------


def form(**values):
    return {"title": "Many", "code": "many", "outcome": "review", "priority": "60",
            "is_enabled": "on", "is_shadow": "on", **values}  # fmt: skip


def test_staff_write_a_rule_without_json_and_try_it(world, staff, admin_client_for):
    browser = admin_client_for(staff("risk_analyst"))
    values = form(
        kinds=["purchase"],
        currency="EUR",
        field_1="amount", op_1="at_least", value_1="0.05",
        field_2="data", name_2="items", op_2="at_least", value_2="1",
        m1_aggregate="count", m1_kinds=["purchase", "login_ok"], m1_minutes="120",
        m1_op="at_least", m1_value="2",
    )  # fmt: skip
    answer = browser.post(reverse("admin:riskops_decisionrule_add"), values)
    assert answer.status_code == 302, answer.context["errors"]
    rule = DecisionRule.objects.get(code="many")
    assert rule.kinds == ["purchase"]
    fields = [one["field"] for one in rule.conditions]
    assert fields == ["currency", "amount", "data.items", MEASURE]
    assert rule.conditions[3]["window"] == 7200
    page = reverse("admin:riskops_decisionrule_change", args=[rule.pk])
    shown = browser.get(page).context["adminform"].form
    assert shown.initial["value_1"] == "0.05"
    assert shown.initial["m1_minutes"] == 120
    # What is not touched stays as it is.
    assert browser.post(page, {**values, "title": "Renamed"}).status_code == 302
    rule.refresh_from_db()
    assert (rule.title, rule.version, len(rule.conditions)) == ("Renamed", 2, 4)
    browser.post(page, {**values, "title": "Renamed", "value_1": "0.06"})
    rule.refresh_from_db()
    assert rule.conditions[1]["value"] == 6
    wrong = browser.post(page, {**values, "op_1": ""})
    assert "Choose a field, an operator and a value." in wrong.content.decode()
    tried = browser.get(reverse("admin:riskops_decisionrule_backtest", args=[rule.pk]))
    assert tried.context["found"].matched > 0
    assert "Events looked at" in tried.content.decode()


def test_a_backtest_that_takes_too_long_says_so(world, staff, admin_client_for, monkeypatch):
    def slow(*args):
        raise OutOfTime

    rule = DecisionRule.objects.first()
    browser = admin_client_for(staff("risk_analyst"))
    monkeypatch.setattr(trying, "_run", slow)
    page = browser.get(reverse("admin:riskops_decisionrule_backtest", args=[rule.pk]))
    assert "Choose fewer days" in page.content.decode()


def test_a_rule_that_the_form_cannot_show_is_not_cut(staff, admin_client_for):
    conditions = [{"field": "amount", "op": "at_least", "value": n} for n in range(6)]
    values = {"code": "many", "title": "Many", "outcome": "review", "conditions": conditions}
    rule = create_decision_rule(actor=None, values=values)
    browser = admin_client_for(staff("risk_analyst"))
    page = reverse("admin:riskops_decisionrule_change", args=[rule.pk])
    assert browser.post(page, form(title="Renamed")).status_code == 302
    rule.refresh_from_db()
    assert (rule.title, len(rule.conditions)) == ("Renamed", 6)


def test_support_sees_no_rules(staff, admin_client_for, as_user):
    agent = staff("support_agent")
    page = reverse("admin:riskops_decisionrule_backtest", args=[DecisionRule.objects.first().pk])
    assert admin_client_for(agent).get(page).status_code == 403
    problem(as_user(agent).get("/api/admin/risk/decision-rules"), 403)
