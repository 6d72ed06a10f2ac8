"""The smallest number of past events before a measure of the own habit speaks."""

import importlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.utils import translation

from riskops.account_sets import Accounts
from riskops.decisions.sentences import condition_text
from riskops.models import DecisionRule, RiskRuleset
from riskops.scores.calculate import calculate_score
from riskops.scores.explanation import explain
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import Ruleset
from riskops.tests.factories import NOW, event, record
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
HABITS = ("amount_habit", "week_habit")


def shopper(past):
    """Someone who paid 10.00 so many times, and 200.00 today."""
    account = UserFactory(date_joined=NOW - timedelta(days=60))
    paid = {"currency": "EUR"}
    days = range(9, 9 + past)
    record(*(event(account, "purchase", ago=timedelta(days=d), amount=1000, **paid) for d in days))
    record(event(account, "purchase", ago=timedelta(hours=1), amount=20_000, **paid))
    return account


def counted(account, rules, **how):
    found = fresh_scores(Accounts.listed([account.pk]), rules, at=NOW, **how)
    return [int(found.counts[0, rules.codes.index(code)]) for code in HABITS]


def test_shipped_habits_speak_from_five_past_payments_on():
    few, enough = shopper(4), shopper(5)
    for from_log in (False, True):
        assert counted(few, Ruleset(), from_log=from_log) == [0, 0]
        assert counted(enough, Ruleset(), from_log=from_log) == [2000, 2000]


def test_a_factor_says_how_many_past_events_it_needs():
    own = {
        "code": "own_habit", "title": "Own", "family": "trading", "points": 10, "window": 86_400,
        "measure": {
            "aggregate": "habit", "kinds": ["purchase"], "past": 30 * 86_400, "least_past": 3,
        },
    }  # fmt: skip
    rules = Ruleset.from_dict({"factors": [own]})
    assert rules.to_dict()["factors"][-1]["measure"]["least_past"] == 3
    three, two = shopper(3), shopper(2)
    column = rules.codes.index("own_habit")
    for account, count in ((three, 2000), (two, 0)):
        found = fresh_scores(Accounts.listed([account.pk]), rules, at=NOW)
        assert found.counts[0, column] == count


def test_rulesets_from_before_keep_one_past_event():
    document = Ruleset().to_dict() | {"format": 3}
    stored = RiskRuleset(definition=document)
    assert counted(shopper(1), stored.rules) == [2000, 2000]
    assert counted(shopper(1), Ruleset()) == [0, 0]


@pytest.mark.parametrize(("language", "needed"), [("en", "past events needed: 5"), ("es", ": 5")])
def test_the_sentence_says_how_many_are_needed(language, needed):
    score = calculate_score(account=shopper(6), at=NOW)
    measure = {"aggregate": "habit", "kinds": ["purchase"], "where": [], "field": "", "past": 1}
    one = {"field": "measure", "op": "at_least", "value": 3, "window": 3600, "measure": measure}
    with translation.override(language):
        told = {reason.factor: reason.text for reason in explain(score.breakdown, Ruleset())}
        assert told["amount_habit"].endswith(needed)
        assert condition_text(one).endswith(needed)


def test_decision_rules_from_before_keep_one_past_event():
    habit = {"aggregate": "habit", "kinds": ["purchase"], "past": 86_400}
    asked = {"field": "measure", "op": "at_least", "value": 3, "window": 60}
    plain = {"field": "amount", "op": "at_least", "value": 5}
    conditions = [plain, {**asked, "measure": habit}]
    DecisionRule.objects.create(code="r", title="r", outcome="block", conditions=conditions)
    migration = importlib.import_module("riskops.migrations.0014_least_past_of_decision_rules")
    migration.keep_one(apps, SimpleNamespace(connection=connection))
    stored = DecisionRule.objects.get(code="r").conditions
    assert stored == [plain, {**asked, "measure": habit | {"least_past": 1}}]
