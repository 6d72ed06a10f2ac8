"""The whole demo, of every desk: what seeding makes, purging removes, to the row."""

import pytest
from django.apps import apps
from django.core.management import call_command

from messaging.services import send_message
from support.models import Ticket
from support.tests.factories import make_ticket
from systemadmin.errors import DemoRowsInUse
from systemadmin.models import Notification, User
from systemadmin.services.demo import purge_demo
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

# What tells of the demo after it is gone, what no account owns, and numbers never given twice.
OUTLIVES = {
    # Seeding scores everyone, the real account too, under the first ruleset.
    "riskops.RiskRuleset",
    "riskops.RecomputeRun",
    "riskops.RecomputeChunk",
    "riskops.RiskScore",
    "riskops.RiskScoreHistory",
    # The platform's own accounts, opened with the first entry in a currency.
    "marketplace.LedgerAccount",
    "systemadmin.AuditEntry",
    "systemadmin.AuditSeal",
    "systemadmin.AuditStatement",
    "systemadmin.Alert",
    # The log of events has no gaps: what was published stays until its retention ends.
    "systemadmin.PublishedEvent",
    "systemadmin.EventCounter",
    "support.TicketCounter",
    "django_q.OrmQ",
    "django_q.Task",
}


def census():
    return {
        model._meta.label: model._base_manager.count()
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.label not in OUTLIVES
    }


def test_after_the_purge_every_table_is_as_before(settings):
    settings.DEMO_MODE = True
    real = UserFactory(username="marta")
    Notification.objects.create(
        user=real, kind="x", subject="x", body="x", channel="email", key="k"
    )
    before = census()
    call_command("seed_demo")
    seeded = census()
    assert sum(seeded.values()) > sum(before.values()) + 300
    dry = purge_demo(actor=None, dry_run=True)
    assert dry.blockers == []
    assert census() == seeded
    report = purge_demo(actor=None)
    assert report.counts == dry.counts
    left = {label: (before[label], count) for label, count in census().items()}
    assert {label: pair for label, pair in left.items() if pair[0] != pair[1]} == {}
    assert User.objects.get() == real


class TestRealRowsAmongTheDemo:
    @pytest.fixture
    def demo_member(self):
        return UserFactory(is_demo=True)

    def test_a_real_members_message_to_a_demo_member_stands_in_the_way(self, demo_member):
        send_message(actor=UserFactory(username="marta"), recipient=demo_member, body="hello")
        before = census()
        with pytest.raises(DemoRowsInUse, match="participant"):
            purge_demo(actor=None)
        assert census() == before

    def test_a_real_ticket_loses_its_demo_agent_and_stays(self, superuser):
        agent = StaffFactory(is_demo=True, role="support_agent")
        ticket = make_ticket(requester=UserFactory())
        Ticket.objects.filter(pk=ticket.pk).update(assignee=agent)
        report = purge_demo(actor=superuser)
        assert report.detached["support.Ticket.assignee"] == 1
        ticket.refresh_from_db()
        assert ticket.assignee is None
