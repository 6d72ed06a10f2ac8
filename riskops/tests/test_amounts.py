"""People type and read amounts of risk rules in major units with their currency."""

from datetime import timedelta

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse
from django.utils import timezone, translation

from riskops.amounts import amount_text, entered_amount
from riskops.anomalies.handling import _shown_rule
from riskops.models import AnomalyRule, DecisionRule, RiskRuleset
from riskops.scores.calculate import calculate_score
from riskops.scores.explanation import explain
from riskops.scores.rules import Ruleset
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.tests.factories import NOW, event, record
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
LANGUAGES = [("en", "12.50", "12.50 EUR"), ("es", "12,50", "12,50 EUR")]


@pytest.fixture
def browser_in(admin_client_for):
    def browser(language, role="risk_analyst"):
        client = admin_client_for(StaffFactory(role=role, language=language))
        client.cookies["django_language"] = language
        return client

    return browser


@pytest.mark.parametrize(
    ("language", "known", "unknown"),
    [("en", "1,234.50 EUR", "1,234.50 "), ("es", "1.234,50 EUR", "1.234,50 ")],
)
def test_amounts_are_written_as_people_write_them(language, known, unknown):
    with translation.override(language):
        assert amount_text(123_450, "EUR") == known
        assert amount_text(123_450, "").startswith(unknown)
        assert amount_text(500, "JPY") == "500 JPY"
        assert entered_amount(123_450, "EUR") == unknown.strip().replace(
            "." if language == "es" else ",", ""
        )


# -- decision rules --------------------------------------------------------------------


def rule_form(typed, **more):
    return {
        "title": "Many", "code": "many", "outcome": "review", "priority": "60",
        "is_enabled": "on", "is_shadow": "on", "kinds": ["purchase"], "currency": "EUR",
        "field_1": "amount", "op_1": "at_least", "value_1": typed,
        "m1_aggregate": "sum", "m1_kinds": ["purchase"], "m1_minutes": "60",
        "m1_op": "at_least", "m1_value": typed, **more,
    }  # fmt: skip


@pytest.mark.parametrize(("language", "typed", "shown"), LANGUAGES)
def test_a_decision_rule_is_typed_and_read_in_major_units(language, typed, shown, browser_in):
    browser = browser_in(language)
    values = rule_form(typed)
    answer = browser.post(reverse("admin:riskops_decisionrule_add"), values)
    assert answer.status_code == 302, answer.context["errors"]
    rule = DecisionRule.objects.get(code="many")
    currency, amount, total = rule.conditions
    assert currency == {"field": "currency", "op": "is", "value": "EUR"}
    assert (amount["value"], total["value"]) == (1250, 1250)
    assert total["measure"]["where"] == [currency]
    page = reverse("admin:riskops_decisionrule_change", args=[rule.pk])
    initial = browser.get(page).context["adminform"].form.initial
    assert (initial["currency"], initial["value_1"], initial["m1_value"]) == ("EUR", typed, typed)
    assert initial.get("field_2") is None
    assert browser.post(page, {**values, "title": "Renamed"}).status_code == 302
    rule.refresh_from_db()
    assert (rule.title, rule.conditions) == ("Renamed", [currency, amount, total])
    listed = browser.get(reverse("admin:riskops_decisionrule_changelist")).content.decode()
    assert listed.count(shown) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": ""}, "currency"),
        ({"value_1": "12.505"}, "value_1"),
        ({"value_1": "much"}, "value_1"),
        ({"m1_value": "much"}, "m1_value"),
        ({"m1_aggregate": "count", "m1_value": "1.5"}, "m1_value"),
    ],
)
def test_what_is_no_amount_is_refused_at_its_field(changes, field, browser_in):
    url = reverse("admin:riskops_decisionrule_add")
    answer = browser_in("en").post(url, rule_form("12.50") | changes)
    assert field in answer.context["adminform"].form.errors
    assert not DecisionRule.objects.filter(code="many").exists()


def test_a_rule_of_the_api_without_a_currency_is_read_but_not_typed(browser_in):
    rule = DecisionRule.objects.create(
        code="any", title="Any", outcome="review",
        conditions=[{"field": "amount", "op": "at_least", "value": 5000}],
    )  # fmt: skip
    page = browser_in("en").get(reverse("admin:riskops_decisionrule_change", args=[rule.pk]))
    assert "amount is at least 50.00 in any currency" in page.content.decode()
    assert 'name="value_1"' not in page.content.decode()


@pytest.mark.parametrize(("language", "_typed", "shown"), LANGUAGES)
def test_the_back_test_shows_amounts_in_major_units(language, _typed, shown, browser_in):
    now = timezone.now() - timedelta(hours=1)
    record(event(UserFactory(), "purchase", occurred_at=now, amount=1250, currency="EUR"))
    rule = DecisionRule.objects.create(code="all", title="All", outcome="review")
    url = reverse("admin:riskops_decisionrule_backtest", args=[rule.pk])
    page = browser_in(language).get(url).content.decode()
    assert page.count(shown) == 2
    assert "1250" not in page


# -- factors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "steps", "value"),
    [("en", "100=10, 500.50=25", "9.99"), ("es", "100=10; 500,50=25", "9,99")],
)
def test_a_factor_is_typed_in_major_units(language, steps, value, browser_in):
    browser = browser_in(language)
    form = {
        "code": "spends_much", "title": "Spends much", "family": "trading", "kinds": ["purchase"],
        "aggregate": "sum", "currency": "EUR", "window_hours": "24", "mode": "steps",
        "steps": steps, "field_1": "amount", "op_1": "at_least", "value_1": value,
    }  # fmt: skip
    url = reverse("admin:riskops_riskruleset_changelist")
    chosen = {"action": "write_factor", ACTION_CHECKBOX_NAME: [current_ruleset().pk], "apply": "1"}
    refused = browser.post(url, {**chosen, **form, "currency": ""})
    assert "currency" in refused.context["form"].errors
    assert browser.post(url, {**chosen, **form}).status_code == 302
    factor = RiskRuleset.objects.drafts().get().rules.factor("spends_much")
    assert factor.steps == ((10_000, 10), (50_050, 25))
    where = [(one.field, one.value) for one in factor.measure.events.where]
    assert where == [("currency", "EUR"), ("amount", 999)]


@pytest.mark.parametrize(("language", "_typed", "shown"), LANGUAGES)
def test_reasons_speak_of_amounts_in_the_currency_paid(language, _typed, shown):
    own = {
        "code": "own_sum", "title": "Own", "family": "trading", "points": 10, "window": 86_400,
        "measure": {"aggregate": "sum", "kinds": ["purchase"],
                    "where": [{"field": "currency", "op": "is", "value": "EUR"}]},
    }  # fmt: skip
    largest = {"code": "largest_amount", "steps": [[1, 5]]}
    draft = draft_ruleset(actor=None, definition={"factors": [own, largest]})
    publish_ruleset(actor=None, ruleset=draft)
    account = UserFactory(date_joined=NOW - timedelta(days=1))
    record(event(account, "purchase", amount=1250, currency="EUR"))
    score = calculate_score(account=account, at=NOW)
    rules = score.ruleset.rules
    with translation.override(language):
        told = {one.factor: one.text for one in explain(score.breakdown, rules, account=account.pk)}
        blind = {one.factor: one.text for one in explain(score.breakdown, rules)}
    assert shown in told["largest_amount"]
    assert shown in told["own_sum"]
    assert shown in blind["own_sum"]
    assert shown not in blind["largest_amount"]
    assert shown.removesuffix(" EUR") in blind["largest_amount"]
    record(event(account, "purchase", amount=3, currency="USD"))
    told = {one.factor: one.text for one in explain(score.breakdown, rules, account=account.pk)}
    assert "any currency" in told["largest_amount"]
    assert Ruleset().factor("largest_amount").measure.currency == ""


# -- anomaly rules ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "typed", "shown"),
    [("en", "2500.50", "10000.00"), ("es", "2500,50", "10000,00")],
)
def test_an_anomaly_rule_is_typed_in_major_units(language, typed, shown, browser_in):
    browser = browser_in(language)
    rule = AnomalyRule.objects.get(detector="transaction_total")
    url = reverse("admin:riskops_anomalyrule_change", args=[rule.pk])
    form = browser.get(url).context["adminform"].form
    assert form.initial["parameter_amount"] == shown
    values = {
        "code": rule.code, "detector": rule.detector, "severity": rule.severity,
        "points": rule.points, "action": rule.action, "is_enabled": "on",
        "parameter_amount": typed, "parameter_minutes": "1440",
    }  # fmt: skip
    wrong = browser.post(url, {**values, "parameter_amount": "0"})
    assert "parameter_amount" in wrong.context["adminform"].form.errors
    wrong = browser.post(url, {**values, "parameter_minutes": "0"})
    assert "parameter_minutes" in wrong.context["adminform"].form.errors
    # A higher total finds less, a lower one needs nobody else.
    assert browser.post(url, values).status_code == 302
    rule.refresh_from_db()
    assert rule.parameters == {"amount": 250_050, "minutes": 1440}


def test_an_anomaly_rule_of_another_detector_begins_with_its_usual_numbers(browser_in):
    browser = browser_in("en")
    values = {"code": "own-total", "detector": "follow_burst", "severity": "low", "points": "5",
              "action": "none", "is_enabled": "on"}  # fmt: skip
    assert browser.post(reverse("admin:riskops_anomalyrule_add"), values).status_code == 302
    rule = AnomalyRule.objects.get(code="own-total")
    assert rule.parameters == {"count": 50, "minutes": 10}
    url = reverse("admin:riskops_anomalyrule_change", args=[rule.pk])
    numbers = {"parameter_count": "50", "parameter_minutes": "10"}
    browser.post(url, {**values, **numbers, "detector": "transaction_total"})
    rule.refresh_from_db()
    assert rule.detector in ("transaction_total", "follow_burst")


def test_a_second_person_reads_what_would_change_in_major_units():
    rule = AnomalyRule.objects.get(detector="transaction_total")
    wanted = {"parameters": {"amount": 2_000_000, "minutes": 1440}}
    lines = {str(name): text for name, text in _shown_rule(rule=rule, values=wanted)}
    change = "10,000.00 in any currency → 20,000.00 in any currency"
    assert lines["From this total on"] == change
    assert len(lines) == 4


def test_who_may_only_look_reads_the_numbers_in_words(browser_in):
    rule = AnomalyRule.objects.get(detector="transaction_total")
    url = reverse("admin:riskops_anomalyrule_change", args=[rule.pk])
    page = browser_in("en", "auditor").get(url).content.decode()
    assert "10,000.00 in any currency" in page
