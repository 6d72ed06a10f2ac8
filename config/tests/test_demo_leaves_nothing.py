"""The whole demo, of every desk: what seeding makes, purging removes, to the row."""

import pytest
from django.apps import apps
from django.core.management import call_command

from systemadmin.models import Notification, User
from systemadmin.services.demo import purge_demo
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

# What tells of the demo after it is gone, what no account owns, and numbers never given twice.
OUTLIVES = {
    "systemadmin.AuditEntry",
    "systemadmin.AuditSeal",
    "systemadmin.Alert",
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
