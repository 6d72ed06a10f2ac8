"""Counting requests and proving that processes live.

Each web process adds up in memory and writes one row a minute, at most every few
seconds, so the cost of counting does not grow with the number of requests.
"""

import os
import socket
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin.models import Heartbeat, RequestMinute
from systemadmin.services import clusters
from systemadmin.services.alert_delivery import send_due_notices
from systemadmin.services.alerts import raise_alert, resolve_alert

# Upper bounds of the histogram's buckets in milliseconds; the last bucket has none.
BOUNDS = (5, 10, 20, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000)
FLUSH_SECONDS = 10
DEAD_AFTER = timedelta(minutes=3)
STARTED_AT = timezone.now()


@dataclass(slots=True)
class _Minute:
    requests: int = 0
    errors: int = 0
    total_ms: float = 0.0
    histogram: Counter[int] = field(default_factory=Counter)


_lock = threading.Lock()
_minutes: dict[datetime, _Minute] = {}
_flushed_at = time.monotonic()


def process_name() -> str:
    """Return host and process id."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


def count_request(duration_ms: float, status: int) -> None:
    """Add one answered request to this process's minute."""
    minute = timezone.now().replace(second=0, microsecond=0)
    with _lock:
        current = _minutes.setdefault(minute, _Minute())
        current.requests += 1
        current.errors += status >= 500
        current.total_ms += duration_ms
        current.histogram[bisect_left(BOUNDS, duration_ms)] += 1


def flush_if_due() -> None:
    """Write what was counted, every few seconds; never fails the request that pays for it."""
    global _flushed_at
    if time.monotonic() - _flushed_at < FLUSH_SECONDS:
        return
    _flushed_at = time.monotonic()
    try:
        flush()
        beat(Heartbeat.Kind.WEB)
        watch_workers()
        clusters.watch()
    except DatabaseError:
        # Counting is not worth an error page; the figures miss a few seconds.
        return


def flush() -> None:
    """Add what this process counted, minute by minute, to the table."""
    with _lock:
        taken = dict(_minutes)
        _minutes.clear()
    for minute, counted in taken.items():
        with transaction.atomic():
            row, _created = RequestMinute.objects.get_or_create(
                minute=minute, process=process_name()
            )
            merged = Counter({int(k): v for k, v in row.histogram.items()}) + counted.histogram
            row.requests += counted.requests
            row.errors += counted.errors
            row.total_ms += counted.total_ms
            row.histogram = {str(k): v for k, v in merged.items()}
            row.save()


def beat(kind: str) -> None:
    """Leave a sign of life of this process."""
    Heartbeat.objects.update_or_create(
        kind=kind,
        name=process_name(),
        defaults={"last_seen_at": timezone.now()},
        create_defaults={"last_seen_at": timezone.now(), "started_at": STARTED_AT},
    )


def alive(kind: str) -> int:
    """Return how many processes of this kind gave a sign lately."""
    return Heartbeat.objects.filter(kind=kind, last_seen_at__gt=timezone.now() - DEAD_AFTER).count()


def watch_workers() -> None:
    """Watch the workers from web processes: without a worker nothing else reports it is gone."""
    known = Heartbeat.objects.filter(kind=Heartbeat.Kind.WORKER).exists()
    if known and not alive(Heartbeat.Kind.WORKER):
        raise_alert(
            rule="queue.workers_dead",
            severity="critical",
            summary=gettext_noop("No queue worker has given a sign of life"),
            detail=gettext_noop("Tasks wait. Start `manage.py qcluster`."),
        )
        send_due_notices()
    else:
        resolve_alert(rule="queue.workers_dead")


def watch_web() -> None:
    """Watch the web processes from workers."""
    known = Heartbeat.objects.filter(kind=Heartbeat.Kind.WEB).order_by("-last_seen_at").first()
    silent = known and timezone.now() - known.last_seen_at > timedelta(minutes=30)
    if silent:
        raise_alert(
            rule="web.silent",
            severity="warning",
            summary=gettext_noop("No web process has answered a request for half an hour"),
        )
    else:
        resolve_alert(rule="web.silent")


def heartbeat_of_worker() -> None:
    """Do the worker's minute: a sign of life, and a look at the web side."""
    beat(Heartbeat.Kind.WORKER)
    watch_web()
    old = timezone.now() - timedelta(days=1)
    RequestMinute.objects.filter(minute__lt=old).delete()
    Heartbeat.objects.filter(last_seen_at__lt=old).delete()


@dataclass(slots=True)
class Traffic:
    """Requests over a span, all processes together."""

    requests: int
    per_second: float
    mean_ms: float
    p95_ms: float
    error_percent: float


def traffic(minutes: int, now: datetime | None = None) -> Traffic:
    """Return the traffic of the last `minutes` minutes."""
    since = (now or timezone.now()) - timedelta(minutes=minutes)
    rows = list(RequestMinute.objects.filter(minute__gte=since.replace(second=0, microsecond=0)))
    requests = sum(row.requests for row in rows)
    if not requests:
        return Traffic(0, 0.0, 0.0, 0.0, 0.0)
    errors = sum(row.errors for row in rows)
    return Traffic(
        requests=requests,
        per_second=round(requests / (minutes * 60), 3),
        mean_ms=round(sum(row.total_ms for row in rows) / requests, 1),
        p95_ms=float(percentile((row.histogram for row in rows), 0.95)),
        error_percent=round(100 * errors / requests, 2),
    )


def percentile(histograms: Iterable[dict[str, int]], share: float) -> float:
    """Return the upper bound (ms) of the bucket that holds this share of all requests."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update({int(bucket): count for bucket, count in histogram.items()})
    wanted, seen = share * sum(total.values()), 0
    for bucket in sorted(total):
        seen += total[bucket]
        if seen >= wanted:
            return BOUNDS[bucket] if bucket < len(BOUNDS) else BOUNDS[-1] * 2
    return 0.0
