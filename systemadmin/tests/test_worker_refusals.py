"""A real worker on a database into which somebody wrote what they please: it runs none of it."""

import base64
import os
import pickle
import signal
from datetime import timedelta

import psutil
import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from systemadmin.foundation.queue import enqueue
from systemadmin.foundation.task_packages import open_package
from systemadmin.models import Alert, AuditEntry, Heartbeat
from systemadmin.tests.backups.conftest import (  # noqa: F401 - fixtures
    own_database,
    own_place,
    template,
    used_databases,
)
from systemadmin.tests.backups.test_faults import wait_for

pytestmark = pytest.mark.slow


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def schedules(mark):
    """Rows that django-q2 itself would run, each making a file."""
    touch = f"touch {mark}"
    yield {"func": "os.system", "args": repr((touch + "-system",))}
    yield {"func": "subprocess.run", "args": repr((["touch", f"{mark}-run"],))}
    yield {"func": "os.getcwd", "hook": "os.system"}
    yield {"func": "os.system", "args": repr((touch + "-sync",)), "kwargs": "q_options={'sync': 1}"}
    yield {"func": "systemadmin.foundation.queue.run_task", "args": repr(("os.system", "", "", 1))}
    # A function of ours that no app offers as a task.
    yield {"func": "systemadmin.services.backups.create_backup"}
    # And a declared schedule whose row was changed.
    yield {"name": "systemadmin.alerts", "func": "os.system", "args": repr((touch + "-renamed",))}


def packages(mark):
    """Rows of the queue, as if even the key were known."""
    good = {"id": "a" * 32, "name": "x", "kwargs": {}, "args": (), "started": timezone.now()}
    touch = f"touch {mark}"
    yield SignedPackage.dumps({**good, "func": "os.system", "args": (touch + "-signed",)})
    yield SignedPackage.dumps({**good, "func": "os.getcwd", "hook": "os.system"})
    yield SignedPackage.dumps(Touch(f"{mark}-package"))
    yield base64.b64encode(pickle.dumps(Touch(f"{mark}-unsigned"))).decode()


def test_a_worker_runs_nothing_but_registered_tasks(own_database, tmp_path):  # noqa: F811
    mark = tmp_path / "ran"
    Schedule.objects.filter(name="systemadmin.alerts").delete()
    due = timezone.now() - timedelta(seconds=1)
    for fields in schedules(mark):
        Schedule.objects.create(**{"next_run": due, "schedule_type": "I", "minutes": 1, **fields})
    for payload in packages(mark):
        OrmQ.objects.create(key="default", payload=payload, lock=due)
    # A record under the id of a waiting task, which the worker reads when that one ends.
    enqueue("systemadmin.tasks.heartbeat")
    waiting = open_package(OrmQ.objects.latest("id").payload)
    record = {"id": waiting.id, "name": waiting.name, "func": "f", "started": due, "stopped": due}
    Task.objects.create(**record, success=False, hook="os.system", result="x")
    evil = base64.b64encode(pickle.dumps(Touch(f"{mark}-record"))).decode()
    own_database.run("UPDATE django_q_task SET result = %s", evil)

    worker = own_database.command("qcluster", Q_CLUSTER_NAME="default")
    try:
        wait_for(lambda: Heartbeat.objects.filter(kind="worker").exists(), seconds=60)
        wait_for(lambda: Task.objects.filter(pk=waiting.id, success=True).exists(), seconds=60)
        wait_for(
            lambda: not OrmQ.objects.filter(key="default", lock__lte=timezone.now()).exists(),
            seconds=60,
        )
    finally:
        family = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(signal.SIGTERM)
        output, errors = worker.communicate(timeout=60)
        for one in family:
            if one.is_running():
                os.kill(one.pid, signal.SIGKILL)
    assert sorted(path.name for path in tmp_path.glob("ran*")) == [], output + errors
    rules = list(Alert.objects.values_list("rule", flat=True))
    assert rules.count("queue.schedule_refused") == 6
    assert rules.count("queue.schedule_repaired") == 1
    assert rules.count("queue.task_refused") == 4
    assert AuditEntry.objects.filter(action="systemadmin.queue.task_refused").count() == 4
    assert Task.objects.filter(success=False, name__startswith="queue row").count() == 4
