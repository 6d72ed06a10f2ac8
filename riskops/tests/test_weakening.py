"""Rules are not made weaker by one person, whichever way; stricter ones need nobody else."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from riskops.anomalies.handling import change_rule, end_exemption, exempt_account
from riskops.anomalies.rules import DETECTORS
from riskops.anomalies.weakening import weaker_parts as weaker_rule
from riskops.models import AnomalyExemption, AnomalyRule, RiskOverride, RiskScore
from riskops.scores.calculate import calculate_score
from riskops.scores.factors import DAY, DEFAULT_FACTORS, Factor
from riskops.scores.overrides import override_score
from riskops.scores.rules import Automation, Ruleset
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.scores.weakening import weaker_parts
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.models import ApprovalRequest
from systemadmin.services import approval_texts, approvals
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.tests.factories import UserFactory

two_people = [pytest.mark.django_db, pytest.mark.two_people]


# -- rulesets: arithmetic ----------------------------------------------------------------

SHIPPED = Ruleset(high_risk_countries=("KP", "RU"))


def factor(code, **changes):
    return SHIPPED.with_factor(code, **changes)


WEAKER = {
    "off": factor("many_ips", enabled=False),
    "fewer points": factor("many_ips", points=14),
    "no points": factor("many_ips", points=0),
    "points that take off": factor("many_ips", points=-5),
    "over": factor("many_ips", over=1_000_000),
    "over by one": factor("many_ips", over=4),
    "window": factor("many_ips", window=3600),
    "cap": factor("content_reports", cap=0),
    "per": factor("content_reports", per=2),
    "mode": factor("content_reports", mode="flat"),
    "steps": factor("shared_device", steps=((1, 30), (2, 40), (4, 45), (9, 50))),
    "steps later": factor("shared_device", steps=((1_000_000, 50),)),
    "no steps": factor("shared_device", steps=()),
    "more trust": factor("verified", points=-16),
    "trust sooner": factor("account_age", per=100),
    "trust without a bound": factor("account_age", cap=None),
    "clean sooner": factor("clean_history", window=DAY),
    "new trust": replace(
        SHIPPED, factors=(*SHIPPED.factors, Factor("own_trust", "trust", -50, given_title="x"))
    ),
    "family cap": replace(SHIPPED, family_caps={**SHIPPED.family_caps, "links": 39}),
    "trust's cap": replace(SHIPPED, family_caps={**SHIPPED.family_caps, "trust": 81}),
    "level": replace(SHIPPED, level_bounds=(20, 40, 60, 81)),
    "alert": replace(SHIPPED, alert_threshold=61),
    "cool-down": replace(SHIPPED, cool_down=0),
    "actions": replace(SHIPPED, actions={**SHIPPED.actions, "critical": ()}),
    "countries": replace(SHIPPED, high_risk_countries=("KP",)),
    "spread": replace(SHIPPED, automation=Automation(max_spread_percent=14)),
    "speed": replace(SHIPPED, automation=Automation(max_per_minute=41)),
}
NOT_WEAKER = {
    "the same": SHIPPED,
    "more points": factor("many_ips", points=30),
    "sooner": factor("many_ips", over=0),
    "longer": factor("many_ips", window=2 * DAY),
    "higher cap": factor("content_reports", cap=None),
    "steps sooner": factor("shared_device", steps=((1, 50),)),
    "less trust": factor("verified", points=-1),
    "no trust": factor("verified", enabled=False),
    "trust later": factor("account_age", per=3650),
    "levels": replace(SHIPPED, level_bounds=(10, 20, 30, 40)),
    "countries": replace(SHIPPED, high_risk_countries=("KP", "RU", "XX")),
    "actions": replace(SHIPPED, actions={**SHIPPED.actions, "low": ("review",)}),
    "a factor more": replace(
        SHIPPED, factors=(*SHIPPED.factors, Factor("own_risk", "links", 50, given_title="x"))
    ),
}


@pytest.mark.parametrize("what", WEAKER)
def test_rules_that_protect_less_are_told(what):
    assert weaker_parts(SHIPPED, WEAKER[what])


@pytest.mark.parametrize("what", NOT_WEAKER)
def test_rules_that_protect_more_are_not(what):
    assert weaker_parts(SHIPPED, NOT_WEAKER[what]) == []


@pytest.mark.parametrize(
    "one", [one for one in DEFAULT_FACTORS if one.most], ids=lambda one: one.code
)
def test_each_shipped_factor_is_guarded(one):
    """Factors for risk are guarded against giving less, those for trust against giving more."""
    if one.most > 0:
        changed = SHIPPED.with_factor(one.code, over=10**6, enabled=one.enabled)
    else:
        changed = SHIPPED.with_factor(one.code, points=one.points * 2, cap=None)
    assert [part.name for part in weaker_parts(SHIPPED, changed)] == [one.code]


# -- anomaly rules: arithmetic ---------------------------------------------------------------


def rule_values(one, /, **changes):
    return {
        "detector": one.code,
        "parameters": one.defaults(),
        "severity": "high",
        "points": 20,
        "action": "alert",
        "is_enabled": True,
        **changes,
    }


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda one: one.code)
def test_every_parameter_of_a_rule_is_guarded(detector):
    """Each parameter is weaker in one direction at least: the useless end of its bounds."""
    before = rule_values(detector)
    for parameter in detector.parameters:
        ends = [
            weaker_rule(
                before,
                rule_values(detector, parameters={**detector.defaults(), parameter.name: value}),
            )
            for value in (parameter.low, parameter.high)
        ]
        assert [f"parameters.{parameter.name}"] in ends


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"is_enabled": False}, ["is_enabled"]),
        ({"detector": "new_country"}, ["detector"]),
        ({"severity": "medium"}, ["severity"]),
        ({"points": 0}, ["points"]),
        ({"action": "none"}, ["action"]),
        ({"parameters": {"count": 100_000}}, ["parameters.count"]),
        ({"parameters": {"minutes": 1}}, ["parameters.minutes"]),
        ({"severity": "critical", "points": 30, "action": "suspend"}, []),
        ({"parameters": {"count": 2, "minutes": 60}}, []),
    ],
)
def test_what_makes_a_rule_weaker(changes, expected):
    velocity = DETECTORS[0]
    assert weaker_rule(rule_values(velocity), rule_values(velocity, **changes)) == expected


def test_a_rule_that_is_off_changes_freely():
    velocity = DETECTORS[0]
    assert weaker_rule(rule_values(velocity, is_enabled=False), rule_values(velocity)) == []


# -- through the front door -----------------------------------------------------------------


@pytest.fixture
def shipped(db):
    call_command("setup", verbosity=0)


@pytest.fixture
def analyst(shipped, staff):
    return staff("risk_analyst")


def ask(call):
    with pytest.raises(SecondPersonNeeded) as found:
        call()
    (row,) = approvals.keep(found.value, "noise")
    return row


class TestByOnePerson:
    """What one analyst asks for waits, and nothing of it is done."""

    pytestmark = two_people

    @pytest.mark.parametrize(
        "values",
        [
            {"points": 0},
            {"severity": "low"},
            {"parameters": {"count": 100_000, "minutes": 10}},
            {"detector": "volume_outlier", "parameters": {}},
            {"is_enabled": False},
        ],
    )
    def test_a_rule_stays_as_it_is(self, values, analyst, as_user):
        rule = AnomalyRule.objects.get(code="transaction_velocity")
        before = AnomalyRule.objects.filter(pk=rule.pk).values().get()
        with pytest.raises(SecondPersonNeeded):
            change_rule(actor=analyst, rule=rule, values=values)
        url = f"/api/admin/anomaly-rules/{rule.pk}"
        headers = {"Approval-Reason": "noise"}
        answer = as_user(analyst).patch(url, values, format="json", headers=headers)
        assert answer.status_code == 202
        assert AnomalyRule.objects.filter(pk=rule.pk).values().get() == before

    def test_a_stricter_rule_needs_nobody_else(self, analyst, as_user):
        rule = AnomalyRule.objects.get(code="transaction_velocity")
        url = f"/api/admin/anomaly-rules/{rule.pk}"
        body = {"parameters": {"count": 3, "minutes": 60}, "severity": "critical", "points": 40}
        assert as_user(analyst).patch(url, body, format="json").status_code == 200

    def test_the_admin_asks_too_and_shows_what_would_change(self, analyst, admin_client_for):
        rule = AnomalyRule.objects.get(code="transaction_velocity")
        page = reverse("admin:riskops_anomalyrule_change", args=[rule.pk])
        body = {
            "code": rule.code,
            "detector": rule.detector,
            "parameter_count": "99999",
            "parameter_minutes": "10",
            "severity": rule.severity,
            "points": rule.points,
            "action": rule.action,
            "is_enabled": "on",
        }
        browser = admin_client_for(analyst)
        browser.post(page, body)
        browser.post(reverse("admin:ask_second_person"), {"reason": "noise"})
        rule.refresh_from_db()
        assert rule.parameters["count"] == 10
        row = ApprovalRequest.objects.get()
        assert "99999" in str(approval_texts.facts(row, viewer=analyst))

    def test_a_draft_with_a_useless_factor_is_not_published(self, analyst):
        rules = current_ruleset().rules.with_factor("many_ips", over=1_000_000)
        draft = draft_ruleset(actor=analyst, definition=rules.to_dict())
        row = ask(lambda: publish_ruleset(actor=analyst, ruleset=draft, note="x"))
        assert current_ruleset().pk != draft.pk
        assert "over 1000000" in str(approval_texts.facts(row, viewer=analyst))

    def test_a_stricter_draft_is_published(self, analyst):
        rules = current_ruleset().rules.with_factor("many_ips", points=40)
        draft = draft_ruleset(actor=analyst, definition=rules.to_dict())
        assert publish_ruleset(actor=analyst, ruleset=draft, note="x").is_published


class TestExemptions:
    """An account is left alone for a while only, and for long by two people."""

    pytestmark = two_people

    @pytest.fixture
    def rule(self, shipped):
        return AnomalyRule.objects.get(code="transaction_velocity")

    def exempt(self, analyst, rule, account, days=None):
        end = timezone.now() + timedelta(days=days) if days else None
        return exempt_account(
            actor=analyst, rule=rule, account=account, reason="known shop", expires_at=end
        )

    def test_without_an_end_it_ends_all_the_same(self, analyst, rule):
        made = self.exempt(analyst, rule, UserFactory())
        assert abs(made.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)

    def test_for_long_it_needs_a_second_person(self, analyst, rule, staff):
        account = UserFactory()
        row = ask(lambda: self.exempt(analyst, rule, account, days=90))
        assert not AnomalyExemption.objects.exists()
        approvals.approve(actor=staff("risk_analyst"), request=row)
        assert AnomalyExemption.objects.filter(account=account).count() == 1

    def test_nobody_exempts_for_more_than_a_year(self, analyst, rule, as_user):
        account = UserFactory()
        with pytest.raises(InvalidInput):
            self.exempt(analyst, rule, account, days=400)
        end = (timezone.now() + timedelta(days=4000)).isoformat()
        body = {"user": account.pk, "reason": "x", "expires_at": end}
        answer = as_user(analyst).post(
            f"/api/admin/anomaly-rules/{rule.pk}/exempt", body, format="json"
        )
        assert problem(answer, 400)["errors"][0]["field"] == "expires_at"

    def test_one_after_the_other_is_for_long(self, analyst, rule):
        account = UserFactory()
        self.exempt(analyst, rule, account)
        end_exemption(actor=analyst, rule=rule, account=account)
        ask(lambda: self.exempt(analyst, rule, account))


class TestOverrides:
    """A score is set for a while by one person, without an end by two."""

    pytestmark = two_people

    @pytest.fixture
    def account(self, shipped):
        account = UserFactory()
        score = calculate_score(account=account)
        type(score).objects.filter(pk=score.pk).update(standing=70)
        return account

    def test_lower_without_an_end_waits(self, analyst, account, as_user):
        with pytest.raises(SecondPersonNeeded):
            override_score(actor=analyst, account=account, score=0, reason="x")
        url = f"/api/admin/users/{account.pk}/risk-score/override"
        answer = as_user(analyst).post(url, {"score": 0, "reason": "x"}, format="json")
        assert answer.status_code == 202
        assert not RiskOverride.objects.exists()

    def test_again_and_again_is_for_long(self, analyst, account):
        now = timezone.now()

        def lower(days):
            RiskScore.objects.filter(account=account).update(standing=70)
            end = timezone.now() + timedelta(days=days)
            return override_score(
                actor=analyst, account=account, score=0, reason="x", expires_at=end
            )

        lower(10)
        lower(12)  # together within what one person may
        with time_machine.travel(now + timedelta(days=11)):
            lower(15)
        with time_machine.travel(now + timedelta(days=25)), pytest.raises(SecondPersonNeeded):
            lower(15)
        with time_machine.travel(now + timedelta(days=90)):
            lower(15)

    @pytest.mark.parametrize(("score", "days"), [(0, 20), (90, 20), (70, 20), (100, None)])
    def test_for_a_while_or_at_the_highest_does_not(self, score, days, analyst, account):
        end = timezone.now() + timedelta(days=days) if days else None
        override_score(actor=analyst, account=account, score=score, reason="x", expires_at=end)
        assert RiskOverride.objects.count() == 1
