"""Only registered tasks run: what a writer to the database can put there, and what comes of it."""

import base64
import inspect
import pickle
from datetime import UTC, datetime, timedelta
from typing import get_type_hints

import pytest
from django.core.cache import caches
from django.db import connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from systemadmin.foundation import queue, scheduler
from systemadmin.foundation.safe_pickle import NotPlain, PlainRedisSerializer, load_plain
from systemadmin.foundation.task_packages import RUNNER, open_package
from systemadmin.foundation.task_registry import RefusedTask, checked, fits, registered_tasks
from systemadmin.models import Alert, AuditEntry

DUE = "systemadmin.seal_audit"
SEAL = "systemadmin.tasks.seal_audit"
RUN = []


class Exploit:
    """Runs code of the attacker's choice when it is unpickled."""

    def __reduce__(self):
        return eval, ("__import__('os').getpid()",)


class Mark:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return (_mark, ())


def _mark():
    RUN.append("ran")
    return "ran"


@pytest.fixture(autouse=True)
def nothing_ran():
    RUN.clear()
    yield
    assert RUN == []


def broker():
    return queue.PausableBroker("default")


# -- names ------------------------------------------------------------------------


def test_the_registry_holds_the_apps_tasks_and_nothing_they_import():
    names = registered_tasks()
    assert SEAL in names
    assert "support.tasks.deliver_mail" in names
    for foreign in (
        "riskops.tasks.named_lock",
        "riskops.tasks.enqueue",
        "riskops.tasks.detect_all",
    ):
        assert foreign not in names
    assert all(name.split(".")[1] == "tasks" for name in names)


def test_every_registered_task_annotates_what_it_takes():
    """A parameter without a plain type could never be filled from a row."""
    plain = {int: 1, float: 1.5, str: "x", bool: True}
    for name, task in registered_tasks().items():
        hints = get_type_hints(task)
        for parameter in inspect.signature(task).parameters:
            assert any(fits(value, hints.get(parameter)) for value in plain.values()), name


@pytest.mark.parametrize(
    ("path", "args"),
    [
        ("os.system", ("true",)),
        ("subprocess.run", (["true"],)),
        ("systemadmin.services.retention.prune_nightly", ()),
        ("systemadmin.tasks.prune_nightly", ()),
        ("systemadmin.foundation.queue.run_task", (SEAL, "", "")),
        ("systemadmin.tasks.run_restore", ()),
        ("systemadmin.tasks.run_restore", (1, 2)),
        ("systemadmin.tasks.run_restore", ("1",)),
        ("systemadmin.tasks.run_restore", (True,)),
        ("systemadmin.tasks.run_restore", ({"pk": 1},)),
        (None, ()),
        (["os.system"], ()),
    ],
)
def test_whatever_is_not_registered_or_does_not_fit_is_refused(path, args):
    with pytest.raises(RefusedTask):
        checked(path, args)


@pytest.mark.parametrize("path", ["os.system", "systemadmin.services.retention.prune_nightly"])
def test_nothing_else_can_be_queued(db, path):
    with pytest.raises(RefusedTask):
        queue.enqueue(path)
    assert not OrmQ.objects.exists()


def test_a_runner_that_is_handed_a_foreign_name_refuses_and_reports(db):
    with pytest.raises(RefusedTask):
        queue.run_task("os.getcwd", "", "", *())
    assert Alert.objects.get().rule == "queue.task_refused"


# -- rows of the queue ---------------------------------------------------------------


@pytest.fixture
def no_clock(monkeypatch):
    """The clock queues nothing meanwhile."""
    monkeypatch.setattr(scheduler, "tick", lambda: None)


def rows_of_an_attacker():
    """Payloads as django-q2 would run them, the first two even without the key."""
    good = {
        "id": "1" * 32,
        "name": "x",
        "func": RUNNER,
        "args": (SEAL, "", ""),
        "kwargs": {},
        "started": timezone.now(),
    }
    sign = SignedPackage.dumps
    yield "no signature", base64.b64encode(pickle.dumps(Mark())).decode()
    yield "another key", sign(good)[:-3] + "abc"
    yield "a function", sign({**good, "func": "os.system", "args": ("true",)})
    yield "a callable", sign({**good, "func": _mark, "args": ()})
    yield (
        "our package, not a task",
        sign({**good, "func": "systemadmin.tasks.prune_nightly", "args": ()}),
    )
    yield "a hook", sign({**good, "hook": f"{__name__}._mark"})
    yield "a chain", sign({**good, "chain": [("os.system", ("true",))]})
    yield "at once", sign({**good, "sync": True})
    yield "keyword arguments", sign({**good, "kwargs": {"hook": "os.system"}})
    yield "a foreign task", sign({**good, "args": ("os.system", "", "", "true")})
    yield "no task", sign({**good, "args": "os"})
    yield "an object", sign({**good, "args": (SEAL, "", "", Exploit())})
    yield "no package", sign([1])


@pytest.mark.parametrize(
    "payload", [pytest.param(payload, id=kind) for kind, payload in rows_of_an_attacker()]
)
def test_a_row_of_the_queue_that_is_not_ours_is_refused_reported_and_recorded(
    db, no_clock, payload
):
    OrmQ.objects.create(key="default", payload=payload, lock=timezone.now() - timedelta(1))
    assert broker().dequeue() == []
    assert not OrmQ.objects.exists()
    assert Task.objects.get().success is False
    assert Alert.objects.get().rule == "queue.task_refused"
    assert AuditEntry.objects.filter(action="systemadmin.queue.task_refused").count() == 1


def test_a_bad_row_stops_no_good_one(db, no_clock):
    OrmQ.objects.create(key="default", payload="x", lock=timezone.now() - timedelta(1))
    queue.enqueue(SEAL)
    broker().dequeue()
    ((_pk, payload),) = broker().dequeue()
    assert open_package(payload).path == SEAL


# -- records of finished tasks -----------------------------------------------------------


def test_a_record_gives_back_data_only(db):
    """The table of finished tasks holds pickles without a signature."""
    moment = timezone.now()
    kept = Task.objects.create(
        id="2" * 32, name="n", func="f", args=(1, "a"), kwargs={}, started=moment, stopped=moment
    )
    evil = base64.b64encode(pickle.dumps(Mark())).decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_task SET result = %s", [evil])
    found = Task.objects.get(pk=kept.pk)
    assert found.args == (1, "a")
    assert found.result == "(unreadable)"


def test_a_record_calls_no_hook(db):
    moment = timezone.now()
    Task.objects.create(
        id="3" * 32, name="n", func="f", hook=f"{__name__}._mark", started=moment, stopped=moment
    ).save()


# -- schedules ------------------------------------------------------------------------------


@pytest.fixture
def row(db):
    """A declared schedule that is due."""
    scheduler.sync_schedules()
    Schedule.objects.update(next_run=timezone.now() + timedelta(seconds=30))
    Schedule.objects.filter(name=DUE).update(next_run=timezone.now() - timedelta(seconds=1))
    return Schedule.objects.get(name=DUE)


def queued():
    return [
        open_package(payload).path for payload in OrmQ.objects.values_list("payload", flat=True)
    ]


def test_what_is_due_is_queued_once(row):
    assert scheduler.enqueue_due() == 1
    assert scheduler.enqueue_due() == 0
    assert queued() == [SEAL]
    row.refresh_from_db()
    assert row.next_run > timezone.now()
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"func": "os.system", "args": "('true',)"},
        {"func": "subprocess.run", "args": "(['true'],)"},
        {"args": "('os.system', '', '', 'true')"},
        {"hook": "os.system"},
        {"kwargs": "{'q_options': {'hook': 'os.system', 'sync': True}}"},
        {"intended_date_kwarg": "hook"},
        {"cluster": "nobody"},
        {"repeats": 0},
        {"minutes": 30_000},
        {"next_run": datetime(2999, 1, 1, tzinfo=UTC)},
        {"next_run": None},
    ],
    ids=lambda change: "+".join(change),
)
def test_a_changed_row_is_put_right_and_runs_what_is_declared(row, change):
    Schedule.objects.filter(pk=row.pk).update(**change)
    scheduler.enqueue_due()
    assert set(queued()) <= {SEAL}
    assert scheduler.is_declared(Schedule.objects.get(pk=row.pk))
    alert = Alert.objects.get()
    assert (alert.rule, alert.key) == ("queue.schedule_repaired", DUE)
    assert AuditEntry.objects.filter(action="systemadmin.queue.repair_done").exists()


def test_a_row_of_ones_own_never_runs_and_is_reported_once(row):
    for name in ("mine", None, DUE):
        Schedule.objects.create(
            name=name, func="os.system", args="'true'", next_run=timezone.now() - timedelta(1)
        )
    scheduler.enqueue_due()
    scheduler.enqueue_due()
    assert queued() == [SEAL]
    assert set(Alert.objects.values_list("rule", "count")) == {("queue.schedule_refused", 1)}
    assert Alert.objects.count() == 3


def test_a_row_that_is_gone_comes_back(row):
    row.delete()
    scheduler.enqueue_due()
    assert queued() == [SEAL]


def test_a_schedule_that_fails_stops_no_other(row, monkeypatch):
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))
    push = scheduler.push

    def failing(path, *args, **kwargs):
        if path == SEAL:
            raise OSError("no")
        return push(path, *args, **kwargs)

    monkeypatch.setattr(scheduler, "push", failing)
    count = len(scheduler.declared_schedules())
    assert scheduler.enqueue_due() == count - 1
    assert Schedule.objects.get(name=DUE).next_run < timezone.now()


def test_a_missed_run_is_made_up_for_once_and_in_step(row):
    long_ago = timezone.now() - timedelta(hours=5, seconds=7)
    Schedule.objects.filter(pk=row.pk).update(next_run=long_ago)
    assert scheduler.enqueue_due() == 1
    row.refresh_from_db()
    assert timedelta() < row.next_run - timezone.now() <= timedelta(minutes=1)
    assert (row.next_run - long_ago) % timedelta(minutes=1) == timedelta()


@pytest.mark.parametrize("own_cluster", ["default", "long"])
def test_work_goes_to_its_own_cluster_whichever_process_queues_it(row, monkeypatch, own_cluster):
    """Else mail and alerts wait behind a backup whenever the long cluster's clock comes first."""
    monkeypatch.setattr(Conf, "CLUSTER_NAME", own_cluster)
    scheduler.enqueue_due()
    queue.enqueue("systemadmin.tasks.heartbeat")
    queue.enqueue("systemadmin.tasks.run_backup", 1, cluster="long")
    found = {
        open_package(payload).path: key
        for key, payload in OrmQ.objects.values_list("key", "payload")
    }
    assert found == {
        SEAL: "default",
        "systemadmin.tasks.heartbeat": "default",
        "systemadmin.tasks.run_backup": "long",
    }


def test_django_q_never_reads_the_schedules_itself():
    assert Conf.SCHEDULER is False


# -- pickles ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, 1, 1.5, "x", b"x", True, [1, {"a": (2,)}], {1, 2}, timezone.now(), timedelta(days=1)],
    ids=lambda value: type(value).__name__,
)
def test_data_comes_through(value):
    assert load_plain(pickle.dumps(value)) == value


@pytest.mark.parametrize(
    "value", [Mark(), _mark, Exploit(), timezone.now], ids=["object", "function", "eval", "method"]
)
def test_anything_else_does_not(value):
    with pytest.raises(NotPlain):
        load_plain(pickle.dumps(value))


def test_the_cache_gives_back_data_only(db):
    cache = caches["default"]
    cache.set("kept", {"a": [1]}, 60)
    assert cache.get("kept") == {"a": [1]}
    evil = pickle.dumps(Mark())
    if hasattr(cache, "_table"):
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {cache._table} SET value = %s", [base64.b64encode(evil).decode()]
            )
        assert cache.get("kept") is None
    assert PlainRedisSerializer().loads(evil) is None
    assert PlainRedisSerializer().loads(PlainRedisSerializer().dumps("x")) == "x"
