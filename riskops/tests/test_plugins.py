"""What the risk desk plugs into the house: figures, status, work lists, account panel, demo."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from riskops import account, demo, stats, status, worklists
from riskops.models import (
    AccountEvent,
    AccountFacts,
    Identifier,
    PendingScore,
    RecomputeRun,
    RiskScore,
    RiskScoreHistory,
)
from riskops.models.scores import Level
from riskops.scores.calculate import calculate_score
from riskops.tests.factories import event, record
from systemadmin.foundation.plugins import DemoWorld
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_figures(member):
    now = timezone.now()
    record(event(member, "login_failed", occurred_at=now))
    calculate_score(account=member)
    day = (now - timedelta(days=1), now + timedelta(days=1))
    figures = {stat.code: stat.compute(*day) for stat in stats.STATS}
    assert figures == {
        "high_risk_accounts": 0,
        "anomalies_found": 0,
        "accounts_by_level": dict.fromkeys(("low", "moderate", "elevated", "high", "critical"), 0)
        | {"low": 1},
        "risk_score_changes": 1,
        "confirmed_fraud": 0,
        "accounts_with_events": 1,
    }


def test_status_warns_when_scores_lag(member, monkeypatch):
    assert status.check_scores()["status"] == "ok"
    record(event(member, occurred_at=timezone.now()))
    assert status.METRICS[0].read() == 1
    monkeypatch.setattr(status, "TOO_MANY_PENDING", 0)
    assert status.check_scores()["status"] == "warning"
    PendingScore.objects.all().delete()
    score = calculate_score(account=member)
    run = RecomputeRun.objects.create(at=timezone.now(), cause="manual", ruleset=score.ruleset)
    RecomputeRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=7))
    assert status.check_scores()["status"] == "warning"


def test_the_review_list_counts_and_leads_to_the_rows(member, admin_client_for, superuser):
    score = calculate_score(account=member)
    RiskScore.objects.filter(pk=score.pk).update(review_since=timezone.now())
    listing = worklists.WORKLISTS[0]
    assert listing.count(superuser) == 1
    page = admin_client_for(superuser).get(listing.url())
    assert page.status_code == 200
    assert page.context["thing"] == score


def test_the_account_panel(member):
    assert account.risk_summary(member)[0][2] is None
    record(event(member, "login_failed", occurred_at=timezone.now()))
    calculate_score(account=member)
    lines = account.risk_summary(member)
    assert lines[0][1] == "5 · Low"
    assert lines[1][1].startswith("+5")


class TestDemo:
    def world(self, seed=1):
        now = timezone.now().replace(minute=0, second=0, microsecond=0)
        world = DemoWorld(rng=random.Random(seed), now=now)
        world.staff = {"risk_analyst": StaffFactory(role="risk_analyst", is_demo=True)}
        for number in range(100):
            joined = now - timedelta(days=(100 - number) * 4 % 390 + 1)
            world.members.append(
                UserFactory(username=f"d{number}", is_demo=True, date_joined=joined)
            )
        world.members.sort(key=lambda user: user.date_joined)
        return world

    def test_a_month_of_a_small_town(self):
        world = self.world()
        demo.seed(world)
        assert AccountEvent.objects.count() > 1000
        assert AccountFacts.objects.count() >= 100
        levels = set(RiskScore.objects.values_list("level", flat=True))
        assert len(levels) >= 3
        assert RiskScore.objects.filter(level__gte=Level.HIGH).exists()
        assert RiskScoreHistory.objects.count() > RiskScore.objects.count()
        cafes = Identifier.objects.filter(value__in=demo.CAFES)
        assert min(cafes.values_list("accounts", flat=True)) >= 20
        assert not PendingScore.objects.exists()

    def test_only_demo_identifiers_are_purged(self, member):
        record(event(member, occurred_at=timezone.now(), ip=demo.CAFES[0], device="real"))
        demo.seed(self.world())
        (_label, identifiers) = demo.purge_queryset_list()[0]
        values = set(identifiers.values_list("value", flat=True))
        assert demo.CAFES[1] in values
        assert demo.CAFES[0] not in values
        assert "real" not in values
