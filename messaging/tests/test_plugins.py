"""What the desk plugs into the rest of the house."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from messaging import account, configuration, demo, schedules, stats, status, tasks, worklists
from messaging.models import Broadcast, Conversation, Mailbox, Message, MessageReport
from messaging.quotas import DEFAULT_WINDOWS, Tier, parse_windows
from messaging.services.mailboxes import recount
from messaging.services.trust import windows_of
from messaging.tests.factories import send, true_unread
from systemadmin.foundation import configuration as site_configuration
from systemadmin.foundation import plugins
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import SystemConfig, User
from systemadmin.services import change_settings
from systemadmin.services.configuration import check_value
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_every_default_is_a_value_that_would_be_accepted():
    for declared in configuration.SETTINGS:
        assert check_value(declared, declared.default) is None, declared.key


@pytest.mark.parametrize(
    "row", ["nonsense", "²/60", "2/٣", "02/60", {"limit": 2}, "9" * 5000 + "/60"]
)
def test_a_mistyped_quota_row_is_refused_and_a_stored_one_is_not_in_force(row):
    with pytest.raises(InvalidInput):
        change_settings(actor=None, values={"messaging.quota_new": ["1/3600", row]})
    SystemConfig.objects.create(key="messaging.quota_new", value=["1/3600", row])
    site_configuration.forget_stored_values()
    assert windows_of("new") == parse_windows(DEFAULT_WINDOWS[Tier.NEW])


def test_schedules_name_tasks_that_exist():
    for schedule in schedules.SCHEDULES:
        assert callable(getattr(tasks, schedule.task.rsplit(".", 1)[1]))


def test_tasks_run_on_an_empty_installation():
    for schedule in schedules.SCHEDULES:
        getattr(tasks, schedule.task.rsplit(".", 1)[1])()


def test_figures_are_those_of_the_period(member, other_member, letter):
    send(member, other_member, "respuesta")
    now = timezone.now()
    start, end = now - timedelta(days=1), now + timedelta(minutes=1)
    by_code = {stat.code: stat for stat in stats.STATS}
    assert by_code["messages_sent"].compute(start, end) == 2
    assert by_code["message_writers"].compute(start, end) == 2
    assert by_code["messages_reported"].compute(start, end) == 0
    assert by_code["messages_sent"].compute(start, start) == 0
    series = by_code["messages_sent"].series(start, end, "day", timezone.get_default_timezone())
    assert sum(count for _bucket, count in series) == 2


def test_the_status_warns_when_nobody_works(letter):
    assert status.check()["status"] == "ok"
    Mailbox.objects.update(notice_due_at=timezone.now() - timedelta(hours=1))
    found = status.check()
    assert found["status"] == "warning"
    assert found["late_notices"] == 2
    assert all(isinstance(metric.read(), float) for metric in status.METRICS)


def test_the_account_panel_counts(letter, other_member):
    (panel,) = account.PANELS
    rows = {str(label): value for label, value, _url in panel.summary(other_member)}
    assert rows["Messages sent, 30 days"] == 1
    assert rows["Sending quota"] == "new"


def test_the_worklist_counts_open_reports(superuser):
    (worklist,) = worklists.WORKLISTS
    assert worklist.count(superuser) == 0
    assert worklist.url() == "/admin/review/reports/"


def demo_world():
    now = timezone.now().replace(microsecond=0)
    members = [UserFactory(is_demo=True, date_joined=now - timedelta(days=60)) for _ in range(20)]
    operator = UserFactory(is_demo=True, is_staff=True)
    return plugins.DemoWorld(
        rng=random.Random(1), now=now, members=members, staff={"operator": operator}
    )


def test_demo_data_adds_up_and_goes_away_whole(letter):
    world = demo_world()
    demo.seed(world)
    assert Conversation.objects.count() > 50
    assert MessageReport.objects.exists()
    for person in world.members:
        assert (
            true_unread(person)
            == recount(person.pk)
            == Mailbox.objects.get(pk=person.pk).unread_count
        )
    for _label, rows in demo.purge_queryset_list():
        rows.delete()
    User.objects.filter(is_demo=True).delete()
    assert list(Message.objects.all()) == [letter]
    assert not Broadcast.objects.exists()
