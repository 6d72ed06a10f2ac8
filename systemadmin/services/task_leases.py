"""Leases of tasks: who holds one is known, and what a dead process held is taken up again.

Each cluster's sentinel (the process that watches the workers) renews its heartbeat every few
seconds and names the workers that live. A task is given back when its worker is not among them
any more, or when the heartbeat of its cluster has stopped. All moments are the database's own.
"""

import logging
import os
import signal
import time
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from systemadmin.foundation import queue
from systemadmin.foundation.hard_maintenance import hard_state
from systemadmin.models import Heartbeat, TaskLease
from systemadmin.services import clusters
from systemadmin.services.alerts import raise_alert

logger = logging.getLogger("atalaya.queue")

BEAT_SECONDS = 10
# Six heartbeats missed: whoever held something is dead.
DEAD_AFTER = timedelta(seconds=60)
# A worker that started after the list of the living was made is not on it.
MARGIN = timedelta(seconds=5)
_due: dict[str, float] = {}


def took(queue_id: int, *, cluster: str, holder: str) -> None:
    """Note that a cluster took a task, in the transaction that took it."""
    TaskLease.objects.update_or_create(
        queue_id=queue_id,
        defaults={
            "cluster": cluster,
            "holder": holder,
            "taken_at": Now(),
            "worker": None,
            "started_at": None,
            "finished_at": None,
        },
    )


def started(queue_id: int, worker: int) -> None:
    """Note which process runs a task."""
    TaskLease.objects.filter(queue_id=queue_id).update(worker=worker, started_at=Now())


def finished(queue_id: int) -> None:
    """Note that a task came to its end; its row is removed by another process a moment later."""
    TaskLease.objects.filter(queue_id=queue_id).update(finished_at=Now())


def ended(queue_id: int) -> None:
    """Forget the lease of a task that left the queue."""
    TaskLease.objects.filter(queue_id=queue_id).delete()


def tick(cluster: str, name: str, workers: list[int], pool: int) -> None:
    """Do the sentinel's round, called twice a second: heartbeat, and watch over the others."""
    if hard_state() is not None:
        # A restore has the database. When it is over, everyone needs time to be seen again.
        _due["release"] = time.monotonic() + DEAD_AFTER.total_seconds() + 2 * BEAT_SECONDS
        return
    if not _is_due("beat", BEAT_SECONDS):
        return
    clusters.beat(cluster, name, workers)
    if _is_due("release", BEAT_SECONDS / 2):
        release_dead()
        clusters.watch()
        if is_stuck(name, pool):
            _end_cluster(cluster, name)


def _is_due(what: str, seconds: float) -> bool:
    now = time.monotonic()
    if now < _due.get(what, 0):
        return False
    # Before the work: a database that is away must not be asked twice a second.
    _due[what] = now + seconds
    return True


def release_dead() -> int:
    """Give back what dead workers and dead clusters held; return how many tasks that were."""
    beats = Heartbeat.objects.filter(kind=Heartbeat.Kind.CLUSTER, name=OuterRef("holder"))
    living = beats.filter(last_seen_at__gt=Now() - DEAD_AFTER)
    orphaned = TaskLease.objects.filter(~Exists(living), taken_at__lt=Now() - DEAD_AFTER)
    return sum(_release(lease) for lease in [*orphaned, *_without_worker()])


def _without_worker() -> list[TaskLease]:
    """Return leases whose cluster lives and whose worker does not."""
    running = TaskLease.objects.filter(worker__isnull=False, finished_at__isnull=True)
    beats = {
        beat.name: beat
        for beat in Heartbeat.objects.filter(
            kind=Heartbeat.Kind.CLUSTER, name__in=running.values("holder")
        )
    }
    return [
        lease
        for lease in running
        if (beat := beats.get(lease.holder)) is not None
        and lease.started_at is not None
        and beat.last_seen_at > lease.started_at + MARGIN
        and lease.worker not in beat.workers
    ]


@transaction.atomic
def _release(lease: TaskLease) -> bool:
    same = TaskLease.objects.filter(
        queue_id=lease.queue_id, holder=lease.holder, worker=lease.worker
    )
    removed, _tables = same.delete()
    if not removed:
        return False
    if lease.finished_at is not None:
        queue.forget(lease.queue_id)
        return False
    queue.make_due(lease.queue_id)
    logger.error("a task is given back: its worker died", extra={"queue_id": lease.queue_id})
    return True


def is_stuck(name: str, pool: int) -> bool:
    """Return whether a living cluster hands out nothing though workers are free.

    A worker killed while it waits for work takes the lock of the pipe with it: no other worker
    ever gets a task again, and the sentinel sees living processes only.
    """
    mine = TaskLease.objects.filter(holder=name, finished_at__isnull=True)
    waiting = mine.filter(worker__isnull=True, taken_at__lt=Now() - DEAD_AFTER)
    if not waiting.exists():
        return False
    # Free now, and not only since a moment ago.
    return mine.filter(worker__isnull=False).count() < pool and not (
        TaskLease.objects.filter(holder=name, started_at__gt=Now() - DEAD_AFTER).exists()
    )


def _end_cluster(cluster: str, name: str) -> None:
    """End this cluster; systemd, compose or `run_local` starts it again."""
    logger.critical("the cluster hands out no work and ends itself", extra={"cluster": cluster})
    raise_alert(
        rule="queue.cluster_stuck",
        key=cluster,
        severity="warning",
        summary=gettext_noop("The queue cluster %(cluster)s was stuck and ended itself"),
        facts={"cluster": cluster},
    )
    Heartbeat.objects.filter(kind=Heartbeat.Kind.CLUSTER, name=name).delete()
    TaskLease.objects.filter(holder=name).update(taken_at=F("taken_at") - DEAD_AFTER)
    os.kill(os.getpid(), signal.SIGKILL)
