"""Real clusters whose processes are killed: what they held is taken up, and nothing runs twice."""

import os
import signal
import time
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest
from django.db.models import F
from django_q.models import OrmQ

from systemadmin.foundation.queue import enqueue
from systemadmin.foundation.task_registry import registered_tasks
from systemadmin.models import Alert, Heartbeat, TaskAttempt, TaskLease
from systemadmin.services.task_leases import release_dead
from systemadmin.tests.backups.test_faults import wait_for
from systemadmin.tests.lease_tasks import CLUSTER, hold, kill_own_worker

pytestmark = pytest.mark.slow
WORKERS = 2


@pytest.fixture
def world(own_database, tmp_path, monkeypatch):
    """Nothing but what a test queues runs here."""
    for task in (hold, kill_own_worker):
        monkeypatch.setitem(registered_tasks(), f"{task.__module__}.{task.__name__}", task)
    return tmp_path


@contextmanager
def cluster(database, name):
    """A cluster that knows the tasks of these tests."""
    # As `manage.py qcluster` has it: a pool of connections does not survive a fork.
    variables = {"Q_CLUSTER_NAME": name, "QUEUE_WORKERS": WORKERS, "DATABASE_PERSISTENT": 1}
    process = database.command("shell", "-c", CLUSTER, **variables)
    try:
        yield process
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if alive(process) else []
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        finally:
            for one in family:
                if one.is_running():
                    one.kill()


def alive(process):
    return process.poll() is None


def lines(folder, name):
    file = folder / name
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def starts(folder, name):
    return [int(pid) for what, pid in lines(folder, name) if what == "start"]


def ends(folder, name):
    return [pid for what, pid in lines(folder, name) if what == "end"]


def pool_of(process):
    """Every process of a cluster, the sentinel first."""
    sentinel = psutil.Process(process.pid).children()[0]
    return [sentinel, *sentinel.children()]


def a_minute_later():
    """As if nobody had renewed anything for longer than a minute."""
    minute = timedelta(seconds=61)
    Heartbeat.objects.update(last_seen_at=F("last_seen_at") - minute)
    TaskLease.objects.update(taken_at=F("taken_at") - minute)


def test_a_killed_workers_task_runs_again_at_once_and_a_living_one_is_left_alone(
    own_database, world
):
    with cluster(own_database, "long"):
        enqueue(hold, str(world), "job", 8, cluster="long")
        wait_for(lambda: starts(world, "job"), seconds=60)
        # Two heartbeats pass: it lives, and nobody takes it up.
        wait_for(
            lambda: Heartbeat.objects.filter(
                last_seen_at__gt=TaskLease.objects.get().started_at + timedelta(seconds=3)
            ).exists(),
            seconds=30,
        )
        assert release_dead() == 0
        os.kill(starts(world, "job")[0], signal.SIGKILL)
        wait_for(lambda: len(starts(world, "job")) == 2, seconds=40)
        assert Alert.objects.get(rule="queue.worker_died").status == "firing"
        wait_for(lambda: ends(world, "job"), seconds=40)
        wait_for(lambda: not OrmQ.objects.exists() and not TaskLease.objects.exists(), seconds=20)
    assert len(starts(world, "job")) == 2
    assert Alert.objects.get(rule="queue.worker_died").status == "resolved"
    assert not TaskAttempt.objects.exists()


def test_what_a_killed_cluster_had_taken_is_taken_up_by_another(own_database, world):
    with cluster(own_database, "default") as first:
        for number in range(3):
            enqueue(hold, str(world), f"job{number}", 8)
        wait_for(lambda: starts(world, "job0") and starts(world, "job1"), seconds=60)
        # The third is taken and waits in the cluster's own memory.
        wait_for(lambda: TaskLease.objects.count() == 3, seconds=20)
        # The sentinel's end takes workers and pusher with it: nobody holds tasks without a guard.
        family = pool_of(first)
        os.kill(family[0].pid, signal.SIGKILL)
        wait_for(lambda: not any(one.is_running() and one.status() != "zombie" for one in family))
    assert release_dead() == 0, "a minute has not passed"
    a_minute_later()
    with cluster(own_database, "default"):
        for number, times in enumerate((2, 2, 1)):
            wait_for(lambda name=f"job{number}": ends(world, name), seconds=60)
            assert len(starts(world, f"job{number}")) == times


def test_a_task_that_kills_its_workers_ends_on_a_list(own_database, world):
    with cluster(own_database, "default"):
        enqueue(kill_own_worker, str(world))
        enqueue(hold, str(world), "job", 0)
        wait_for(lambda: TaskAttempt.objects.filter(quarantined_at__isnull=False), seconds=120)
        wait_for(lambda: ends(world, "job") and not OrmQ.objects.exists(), seconds=90)
    assert (world / "killer").read_text().count("start") == 3
    assert Alert.objects.filter(rule="queue.task_quarantined", status="firing").count() == 1


def test_a_cluster_that_hands_out_nothing_ends_itself(own_database, world):
    with cluster(own_database, "default") as process:
        wait_for(lambda: Heartbeat.objects.filter(kind="cluster").exists(), seconds=60)
        enqueue(hold, str(world), "warm", 0)
        wait_for(lambda: ends(world, "warm") and not OrmQ.objects.exists(), seconds=30)
        sentinel = psutil.Process(process.pid).children()[0]
        # Whoever waits at the pipe holds its lock; the workers come first, then monitor and pusher.
        for worker in sorted(sentinel.children(), key=lambda one: one.pid)[:2]:
            os.kill(worker.pid, signal.SIGKILL)
            time.sleep(1)
        enqueue(hold, str(world), "job", 0)
        wait_for(lambda: TaskLease.objects.exists() or ends(world, "job"), seconds=30)
        time.sleep(2)
        assert not ends(world, "job"), "the lock was not lost: this test shows nothing"
        TaskLease.objects.update(taken_at=F("taken_at") - timedelta(seconds=61))
        process.communicate(timeout=30)
    assert Alert.objects.filter(rule="queue.cluster_stuck").exists()
    with cluster(own_database, "default"):
        wait_for(lambda: ends(world, "job"), seconds=60)
