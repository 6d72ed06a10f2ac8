"""The scheduled path as it runs in life: workers, clock, backup, retention, Telegram."""

import os
import signal
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import psutil
import pytest
from django.core.files.storage import storages
from django.utils import timezone
from django_q.models import Schedule

from systemadmin.models import AlertRule, Backup
from systemadmin.services import change_settings
from systemadmin.services.backups import create_backup
from systemadmin.tests.backups.factories import grow_old
from systemadmin.tests.backups.test_faults import part_name, wait_for
from systemadmin.tests.telegram_server import telegram_server

pytestmark = pytest.mark.slow

TOKEN = "123456:the-bots-own-token-of-this-test"


@contextmanager
def cluster(database, name, **environment):
    """One worker cluster as an operator starts it."""
    process = database.command("qcluster", Q_CLUSTER_NAME=name, **environment)
    try:
        yield process
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        finally:
            for one in family:
                if one.is_running():
                    os.kill(one.pid, signal.SIGKILL)


def make_due(*names):
    """As if their minute had come."""
    due = timezone.now() - timedelta(seconds=1)
    Schedule.objects.filter(name__in=names).update(next_run=due)


def texts(api):
    """What the stand-in for Telegram was asked to say, by the bot's own token."""
    return [body["text"] for path, body in api.calls if path == f"/bot{TOKEN}/sendMessage"]


def test_the_clock_makes_a_backup_retires_old_ones_and_tells(own_database, people):
    old = create_backup()
    file = part_name(old)
    grow_old(old, 30)
    # Only what this test is about: a laptop's full disk is another matter.
    AlertRule.objects.update(is_enabled=False)
    change_settings(actor=None, values={"alerts.group_wait_seconds": 0})
    with telegram_server() as (api, address), ExitStack() as workers:
        environment = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_CHAT_ID": "-100200300",
            "TELEGRAM_API_URL": address,
        }
        for name in ("default", "long"):
            workers.enter_context(cluster(own_database, name, **environment))

        def told(words, *due):
            def look():
                make_due(*due)
                time.sleep(1)
                return any(words in text for text in texts(api))

            return look

        make_due("systemadmin.tend_backups")
        by_schedule = Backup.objects.filter(trigger=Backup.Trigger.SCHEDULE)
        wait_for(lambda: by_schedule.filter(status="complete").exists(), seconds=90)
        made = by_schedule.get()
        wait_for(lambda: not storages["backups"].exists(file), seconds=60)

        # Or the next round of upkeep finds it made, and nobody is told of what is over.
        wait_for(told("late", "systemadmin.alerts"), seconds=60)
        wait_for(told(made.name, "systemadmin.tend_backups", "systemadmin.alerts"), seconds=60)
        said = texts(api)
    assert storages["backups"].exists(part_name(made))
    assert not Backup.objects.filter(pk=old.pk, status="complete").exists()
    assert sum(made.name in text for text in said) == 1, "once"
    assert {body["chat_id"] for _path, body in api.calls} == {"-100200300"}
    assert by_schedule.count() == 1, "the clock looks every five minutes and makes one a day"
