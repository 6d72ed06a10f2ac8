"""The home page: what waits for each role, what is first, what changed, and a calm page."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace import services as market
from marketplace.tests import factories as shop
from riskops.models import RiskScore
from riskops.scores.calculate import calculate_score
from support.tests.factories import make_ticket
from systemadmin.models import Alert
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def home(browser):
    answer = browser.get("/admin/")
    assert answer.status_code == 200
    return answer


def risky(account, score=100, level=4):
    calculate_score(account=account)
    RiskScore.objects.filter(account=account).update(score=score, level=level)


def test_the_analyst_sees_the_account_that_cannot_wait(staff, admin_client_for, member):
    risky(member)
    page = home(admin_client_for(staff("risk_analyst")))
    first = page.context["first"]
    assert first.url == f"/admin/riskops/account/{member.pk}/change/"
    assert (first.level, page.context["urgent"]) == ("critical", 1)
    text = page.content.decode()
    assert "Accounts at high or critical risk" in text
    assert text.count('class="at-next"') == 1


def test_what_has_a_queue_opens_where_it_is_decided(staff, admin_client_for, member):
    product = shop.draft(member)
    market.submit_product(actor=member, product=product)
    browser = admin_client_for(staff("marketplace_moderator"))
    first = home(browser).context["first"]
    assert first.url == f"/admin/review/products/{product.pk}/"
    assert "Request changes" in browser.get(first.url).content.decode()


def test_what_is_late_comes_before_what_is_new(staff, admin_client_for, member):
    agent = staff("support_agent")
    make_ticket(member, subject="Fresh", assignee=agent)
    late = make_ticket(member, subject="Late", assignee=agent)
    late.overdue_since = timezone.now() - timedelta(hours=1)
    late.save()
    page = home(admin_client_for(agent))
    assert page.context["first"].title == "Late"
    assert page.context["lanes"][0].waiting.worklist.code == "support.overdue"


def test_a_calm_page_when_nothing_waits(staff, admin_client_for):
    page = home(admin_client_for(staff("risk_analyst", first_name="Rita")))
    assert page.context["lanes"] == []
    text = page.content.decode()
    assert "All clear, Rita" in text
    assert "anomalies to judge" in text


def test_it_says_what_changed_since_the_last_visit(staff, admin_client_for, member):
    operator = staff("operator")
    browser = admin_client_for(operator)

    def change():
        lanes = home(browser).context["lanes"]
        found = [one for one in lanes if one.waiting.worklist.code == "systemadmin.alerts"]
        return found[0].change if found else None

    def alert(key):
        Alert.objects.create(
            rule="test", key=key, severity="info", summary="x", last_seen_at=timezone.now()
        )

    alert("one")
    assert change() is None
    with time_machine.travel(timezone.now() + timedelta(hours=3)):
        alert("two")
        alert("three")
        browser = admin_client_for(operator)
        assert change() == 2
        # Looking again is the same visit.
        assert change() == 2


def test_the_first_run_greets_with_a_checklist(admin_client_for, superuser, staff, settings):
    settings.TELEGRAM_BOT_TOKEN = ""
    page = home(admin_client_for(superuser))
    assert "Before you begin" in page.content.decode()
    done = {str(step.title): step.is_done for step in page.context["steps"]}
    assert done["Your second factor"] is True
    assert done["Telegram"] is False
    assert done["First import"] is False
    UserFactory()
    steps = home(admin_client_for(superuser)).context["steps"]
    assert {str(step.title): step.is_done for step in steps}["First import"] is True
    assert home(admin_client_for(staff("support_agent"))).context["steps"] == []


def cost_of_home(browser):
    """The queries of a visit; now and then one also writes down how many requests there were."""
    # What is kept for ten seconds may run out in between: it is counted each time.
    cache.clear()
    with CaptureQueriesContext(connection) as found:
        home(browser)
    return len(found)


def test_the_home_costs_the_same_for_few_and_many(staff, admin_client_for, time_machine):
    # No minute passes in between, however slow the machine is.
    time_machine.move_to(timezone.now(), tick=False)
    agent = staff("support_agent")
    browser = admin_client_for(agent)
    costs = []
    for more in (3, 9):
        for one in range(more):
            make_ticket(UserFactory(), subject=f"Ticket {one}", assignee=agent)
        home(browser)
        costs.append(min(cost_of_home(browser) for _visit in range(3)))
    assert costs[0] == costs[1] <= 60
