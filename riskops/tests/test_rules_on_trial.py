"""Rules on trial: a factor is written, tried on every account, published; and names, not codes."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse
from django.utils import timezone

from riskops.admin.factor_form import code_of
from riskops.models import RiskRuleset
from riskops.scores.rules import Ruleset
from riskops.scores.rulesets import current_ruleset
from riskops.tests.factories import event, record
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer():
    account = UserFactory(first_name="Berta", last_name="Soler")
    now = timezone.now()
    record(*(event(account, "purchase", occurred_at=now - timedelta(hours=n)) for n in range(1, 4)))
    return account


def act(browser, action, ruleset, form):
    chosen = {"action": action, ACTION_CHECKBOX_NAME: [ruleset.pk], "apply": "1"}
    return browser.post(reverse("admin:riskops_riskruleset_changelist"), {**chosen, **form})


def test_a_factor_that_was_written_is_tried_before_it_is_published(buyer, staff, admin_client_for):
    browser = admin_client_for(staff("risk_analyst"))
    form = {
        "title": "Many purchases",
        "family": "trading",
        "kinds": ["purchase"],
        "aggregate": "count",
        "window_hours": "240",
        "mode": "flat",
        "points": "60",
    }
    act(browser, "write_factor", current_ruleset(), form)
    draft = RiskRuleset.objects.drafts().get()
    trial = reverse("admin:riskops_rulesettrial_changelist") + f"?ruleset={draft.pk}"
    said = browser.get(reverse("admin:riskops_riskruleset_changelist")).content.decode()
    assert trial in said
    assert str(draft) in said
    page = browser.get(trial)
    row = next(one for one in page.context["factors"] if one["title"] == "Many purchases")
    given = {f"{one['code']}-enabled": "on" for one in page.context["factors"]}
    tried = browser.post(trial, {**given, f"{row['code']}-points": "100"})
    crossing = next(one for one in tried.context["crossings"] if one["one"].account == buyer.pk)
    assert crossing["name"] in tried.content.decode()
    assert crossing["level_before"] == "Low"
    browser.post(trial, {**given, f"{row['code']}-points": "50", "publish": "1"})
    draft.refresh_from_db()
    assert draft.is_published
    assert draft.rules.factor(row["code"]).points == 50
    assert not RiskRuleset.objects.drafts().exists()
    assert browser.get(trial).status_code == 404


def test_a_factor_is_removed_by_its_title(buyer, staff, admin_client_for):
    browser = admin_client_for(staff("risk_analyst"))
    form = {"title": "Many purchases", "family": "trading", "kinds": ["purchase"]}
    form |= {"aggregate": "count", "window_hours": "240", "mode": "flat", "points": "6"}
    act(browser, "write_factor", current_ruleset(), form)
    draft = RiskRuleset.objects.drafts().get()
    act(browser, "remove_factor", draft, {"code": "many purchases"})
    assert RiskRuleset.objects.drafts().get().rules.codes == Ruleset().codes
    page = browser.get(reverse("admin:riskops_riskruleset_change", args=[current_ruleset().pk]))
    names = [one.name for one in page.context["object_actions"]]
    assert "publish" not in names
    assert "discard" not in names


def test_long_titles_make_different_codes():
    titles = [f"An unusually long title of a factor number {number}" for number in range(3)]
    codes = {code_of(title) for title in [*titles, "Много сообщений", "Disputes"]}
    assert len(codes) == 5
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{2,39}", code) for code in codes)
    assert not codes & set(Ruleset().codes)
