"""The risk pages of the admin: what they show, to whom, and that actions go by the services."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from riskops.models import Identifier, RiskOverride, RiskRuleset, RiskScore
from riskops.scores.calculate import calculate_score
from riskops.scores.recompute import start_run, work_on
from riskops.scores.rulesets import current_ruleset
from riskops.tests.factories import event, record
from systemadmin.foundation.display import display_name
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

MODELS = (
    "riskscore",
    "riskscorehistory",
    "riskoverride",
    "riskoutcome",
    "riskruleset",
    "accountevent",
    "accountfacts",
    "identifier",
    "recomputerun",
    "ingestcheckpoint",
)


@pytest.fixture
def world(member):
    moment = timezone.now()
    record(
        event(member, "login_failed", occurred_at=moment, ip="203.0.113.7"),
        event(member, "two_factor_enabled", occurred_at=moment, device="pixel-9"),
        event(member, "transfer", occurred_at=moment, wallet="0xaa", counterparty_wallet="0xbb"),
        event(member, "login_ok", occurred_at=moment, ip="2001:db8::7", country="ES"),
    )
    return calculate_score(account=member)


@pytest.fixture
def analyst(staff, admin_client_for):
    return admin_client_for(staff("risk_analyst"))


def page(model, name="changelist", *args):
    return reverse(f"admin:riskops_{model}_{name}", args=args)


def act(client, model, action, rows, **data):
    body = {"action": action, "_selected_action": [row.pk for row in rows], **data}
    return client.post(page(model), body, follow=True)


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_every_row_opens(admin_client_for, superuser, world, model):
    from django.apps import apps

    client = admin_client_for(superuser)
    work_on(start_run(cause="schedule"))
    assert client.get(page(model)).status_code == 200
    rows = apps.get_model("riskops", model).objects.all()
    # Nobody opens their own score.
    own = {"account": superuser} if model.startswith("riskscore") else {"pk": None}
    row = rows.exclude(**own).first()
    if row is not None:
        assert client.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_lists_are_searched(admin_client_for, superuser, world, model):
    client = admin_client_for(superuser)
    assert client.get(page(model), {"q": "marta"}).status_code == 200


def test_the_score_page_shows_why(analyst, world):
    text = analyst.get(page("riskscore", "change", world.pk)).content.decode()
    assert "risk-bar-adds" in text
    assert "risk-bar-lowers" in text
    assert "risk-path" in text
    assert "1 failed logins" in text
    assert f"<h1>{display_name(world.account)}: {world.score}</h1>" in text
    assert page("account", "change", world.pk) in text
    assert 'class="risk-bar-name"' in text
    assert not re.search(r"\sstyle=|<script(?![^>]*src)(?![^>]*type=\"application/json\")", text)


def test_staff_without_the_permission_see_no_identifier(admin_client_for, superuser, world):
    from django.contrib.auth.models import Permission

    clerk = UserFactory(username="clerk", is_staff=True)
    codes = ["view_accountevent", "view_identifier", "view_sighting"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = admin_client_for(clerk)
    for path in (
        page("accountevent"),
        page("identifier"),
        *(page("identifier", "change", row.pk) for row in Identifier.objects.all()),
    ):
        text = client.get(path).content.decode()
        for secret in ("203.0.113.7", "2001:db8::7", "pixel-9", "0xaa", "0xbb"):
            assert secret not in text
    assert "203.0.x.x" in client.get(page("identifier")).content.decode()
    assert "203.0.113.7" in admin_client_for(superuser).get(page("identifier")).content.decode()


def test_actions_override_and_back(analyst, world):
    act(analyst, "riskscore", "override", [world], apply="1", score=77, reason="Checked")
    world.refresh_from_db()
    assert (world.score, world.override.reason) == (77, "Checked")
    assert "Checked" in analyst.get(page("riskscore", "change", world.pk)).content.decode()
    act(analyst, "riskscore", "lift_override", [world], apply="1")
    assert not RiskOverride.objects.filter(ended_at=None).exists()
    answer = act(analyst, "riskscore", "lift_override", [world], apply="1")
    assert "no override in force" in answer.content.decode()


def test_actions_recalculate_and_outcome(analyst, world):
    record(event(world.account, "login_failed", occurred_at=timezone.now()))
    act(analyst, "riskscore", "recalculate", [world])
    assert RiskScore.objects.get().breakdown[0][3] == 2
    act(analyst, "riskscore", "give_outcome", [world], apply="1", verdict="legitimate")
    assert world.account.risk_outcomes.get().verdict == "legitimate"


def test_viewers_may_not_act(admin_client_for, staff, world):
    agent = admin_client_for(staff("support_agent"))
    assert agent.get(page("riskscore")).status_code == 200
    act(agent, "riskscore", "override", [world], apply="1", score=77, reason="x")
    assert not RiskOverride.objects.exists()


def test_rulesets_are_copied_and_published(analyst, world):
    number_one = current_ruleset()
    changes = '{"factors": [{"code": "failed_logins", "points": 9}], "family_caps": {"trust": 7}}'
    act(
        analyst,
        "riskruleset",
        "change_document",
        [number_one],
        apply="1",
        changes=changes,
        note="Nine",
    )
    draft = RiskRuleset.objects.drafts().get()
    assert draft.rules.factor("failed_logins").points == 9
    assert draft.rules.family_caps["trust"] == 7
    act(analyst, "riskruleset", "publish", [draft], apply="1", note="Go")
    assert current_ruleset().pk == draft.pk
    assert analyst.get(page("riskruleset", "change", draft.pk)).status_code == 200
    answer = act(
        analyst,
        "riskruleset",
        "change_document",
        [number_one],
        apply="1",
        changes='{"colour": "red"}',
    )
    assert "Unknown field" in answer.content.decode()


def test_a_copy_is_one_click_and_its_points_are_changed_by_a_form(analyst, world):
    number_one = current_ruleset()
    url = page("riskruleset", "change", number_one.pk)
    answer = analyst.post(url, {"object_action": "copy"}, follow=True)
    draft = RiskRuleset.objects.drafts().get()
    own = page("riskruleset", "change", draft.pk)
    assert answer.redirect_chain == [(own, 302)]
    assert draft.definition == number_one.definition
    assert str(number_one) in draft.note
    form = {"change_points-factor": "failed_logins", "change_points-note": ""}
    refused = analyst.post(own, {"object_action": "change_points", **form})
    assert "Say what changes." in refused.content.decode()
    form |= {"change_points-points": "9", "change_points-enabled": "no"}
    analyst.post(own, {"object_action": "change_points", **form})
    draft.refresh_from_db()
    factor = draft.rules.factor("failed_logins")
    assert (factor.points, factor.enabled) == (9, False)
    assert RiskRuleset.objects.drafts().count() == 1


def test_nothing_is_changed_by_form(analyst, world):
    for model in ("riskscore", "accountevent", "identifier"):
        assert analyst.get(page(model, "add")).status_code == 403
        row = {"riskscore": world}.get(model)
        if row:
            assert analyst.post(page(model, "change", row.pk), {"score": 1}).status_code == 403


def test_lists_cost_the_same_for_one_and_for_ten(analyst, world):
    from systemadmin.foundation.testing import assert_constant_queries

    def grow():
        for number in range(9):
            other = UserFactory()
            moment = timezone.now()
            record(event(other, occurred_at=moment, ip=f"10.1.0.{number}", device=f"x{number}"))
            calculate_score(account=other)

    def call():
        for model in ("riskscore", "accountevent", "identifier", "riskscorehistory"):
            assert analyst.get(page(model)).status_code == 200

    assert_constant_queries(call, grow)
