"""A broadcast whose workers are killed in between reaches each member exactly once."""

import subprocess
import sys
import time

import pytest
from django.db import connection
from django.db.models import Sum

from messaging import services
from messaging.models import Broadcast, Mailbox, Message
from messaging.tests.processes import ROOT, environment_of
from systemadmin.models import User
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="processes share the database"),
]
MEMBERS = 600


def worker(env, pk):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "deliver_broadcast", str(pk)],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_each_member_gets_it_once_though_workers_die(tmp_path):
    operator = UserFactory(is_staff=True)
    User.objects.bulk_create(User(username=f"many{n}", password="!") for n in range(MEMBERS - 1))
    change_settings(actor=None, values={"messaging.broadcast_chunk": 20})
    broadcast = services.create_broadcast(actor=operator, title="Novedades", body="Hola a todos")
    services.send_broadcast(actor=operator, broadcast=broadcast)
    env = environment_of(tmp_path)
    killed = 0
    deadline = time.monotonic() + 120
    while Broadcast.objects.get(pk=broadcast.pk).status == "sending":
        assert time.monotonic() < deadline
        pair = [worker(env, broadcast.pk) for _ in range(2)]
        # Wait until the first has delivered something, so that the kill falls in between.
        pair[0].stdout.readline()
        time.sleep(0.05 * (killed % 4))
        for process in pair:
            if killed < 4:
                killed += process.poll() is None
                process.kill()
            process.wait()
            process.stdout.close()
    assert killed >= 3
    received = Message.objects.filter(broadcast=broadcast)
    assert received.count() == MEMBERS
    assert received.values("conversation").distinct().count() == MEMBERS
    assert Mailbox.objects.aggregate(total=Sum("unread_count"))["total"] == MEMBERS
    broadcast.refresh_from_db()
    assert (broadcast.status, broadcast.delivered_count) == ("sent", MEMBERS)
