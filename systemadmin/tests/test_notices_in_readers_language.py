"""Notices to superusers are in the language of each reader, whatever the language of who acts."""

import pytest
from django.utils.translation import override

from systemadmin.models import ConfigurationChange, Notification
from systemadmin.services import audit_runs, configuration, single_person
from systemadmin.services.emergencies import report_emergency
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


def change(**values):
    return ConfigurationChange.objects.create(actor_name="root", **values)


def lower_retention():
    row = change(key="audit.retention_days", old=365, new=30)
    configuration._notify_lower_retention(row, "space")


ACTS = {
    "emergency": lambda: report_emergency(act="systemadmin.request_restore", reason="fire"),
    "one person": lambda: single_person.report_switch(
        change(key="duties.single_person", old=False, new=True), "alone"
    ),
    "retention": lower_retention,
    "fault": lambda: audit_runs.explain_fault(
        actor=None, fault="clock", position=7, reason="a clock was set back"
    ),
}


@pytest.mark.parametrize("act", sorted(ACTS))
@pytest.mark.parametrize("caller", ["en", "es"])
def test_each_superuser_reads_their_own_language(act, caller):
    people = {name: StaffFactory(is_superuser=True, language=name) for name in ("en", "es")}
    with override(caller):
        ACTS[act]()
    texts = {
        name: "\n".join(
            f"{one.subject} {one.body}" for one in Notification.objects.filter(user=reader)
        )
        for name, reader in people.items()
    }
    words = {
        "emergency": ("Done on the command line", "Restore the database"),
        "one person": ("now works with one person", "Reason: alone"),
        "retention": ("kept for a shorter time", "Reason: space"),
        "fault": ("was explained", "Reason: a clock"),
    }[act]
    for word in words:
        assert word in texts["en"]
        assert word not in texts["es"]
