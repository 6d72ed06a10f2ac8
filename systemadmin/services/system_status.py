"""How the machine and its parts are doing: each block may fail alone."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import django
import psutil
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from systemadmin.foundation import queue
from systemadmin.foundation.plugins import collect
from systemadmin.models import AlertNotice, Heartbeat, Notification, TaskAttempt
from systemadmin.services import batch_failures, clusters, telemetry
from systemadmin.services.database_status import database_block

CACHE_SECONDS = 10
SECRETS = (
    "SECRET_KEY",
    "AUDIT_KEYS",
    "BACKUP_PASSPHRASE",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_CHAT_ID",
    "ALERT_URLS",
    "REDIS_URL",
)
PACKAGES = ("djangorestframework", "django-q2", "psycopg", "numpy", "scipy", "granian")
_cached: tuple[float, dict[str, Any]] | None = None


def machine_block() -> dict[str, Any]:
    """CPU, load, memory and disk."""
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(settings.VAR_DIR)
    return {
        "cpu_percent": psutil.cpu_percent(interval=None),
        "cpu_count": psutil.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "memory_total": memory.total,
        "memory_used_percent": memory.percent,
        "disk_total": disk.total,
        "disk_free": disk.free,
        "disk_free_percent": round(100 * disk.free / disk.total, 1),
    }


def process_block() -> dict[str, Any]:
    """Return the figures of this process."""
    process = psutil.Process()
    with process.oneshot():
        return {
            "pid": process.pid,
            "memory": process.memory_info().rss,
            "threads": process.num_threads(),
            "open_files": process.num_fds() if hasattr(process, "num_fds") else None,
            "started_at": datetime.fromtimestamp(
                process.create_time(), tz=timezone.get_current_timezone()
            ).isoformat(),
        }


def requests_block() -> dict[str, Any]:
    """Rate, mean, p95 and errors over 1, 5 and 15 minutes, all processes together."""
    return {f"{minutes}m": asdict(telemetry.traffic(minutes)) for minutes in (1, 5, 15)}


def cache_block() -> dict[str, Any]:
    """Return whether the cache keeps a value, and how fast."""
    started, value = time.perf_counter(), str(time.time())
    cache.set("status-probe", value, 30)
    kept = cache.get("status-probe") == value
    return {
        "status": "ok" if kept else "error",
        "backend": "redis" if settings.REDIS_URL else "database",
        "round_trip_ms": round((time.perf_counter() - started) * 1000, 2),
    }


def cache_available() -> float:
    """Return 1 when the cache keeps a value, 0 when it does not."""
    try:
        return float(cache_block()["status"] == "ok")
    except Exception:
        return 0.0


def queue_block() -> dict[str, Any]:
    """Workers, depth, oldest task, failures, quarantine."""
    workers = telemetry.alive(Heartbeat.Kind.WORKER)
    states = clusters.cluster_states()
    failures = batch_failures.counts()
    is_well = workers and not failures["given_up"] and all(state.alive for state in states)
    return {
        "status": "ok" if is_well else "warning",
        "workers": workers,
        "clusters": {state.name: _cluster_block(state) for state in states},
        "failed_rows": failures,
        "web_processes": telemetry.alive(Heartbeat.Kind.WEB),
        "depth": queue.depth(),
        "oldest_seconds": queue_oldest_seconds(),
        "failures_24h": queue.failures_since(timezone.now() - timedelta(days=1)),
        "quarantined": TaskAttempt.objects.filter(quarantined_at__isnull=False).count(),
    }


def _cluster_block(state: clusters.ClusterState) -> dict[str, Any]:
    seen = state.last_seen_at
    return {
        "alive": state.alive,
        "is_missing": state.is_missing,
        "last_seen_seconds": round((timezone.now() - seen).total_seconds(), 1) if seen else None,
    }


def channels_block() -> dict[str, Any]:
    """Mail, Telegram and the outboxes."""
    return {
        "email": settings.EMAIL_BACKEND.rsplit(".", 2)[-2],
        "telegram_configured": bool(settings.TELEGRAM_BOT_TOKEN and settings.TELEGRAM_CHAT_ID),
        "apprise_channels": len(settings.ALERT_URLS),
        "notices_failed": int(notices_failed()),
        "notifications_pending": Notification.objects.filter(status="pending").count(),
    }


def secrets_block() -> dict[str, str]:
    """Return which secrets are present; never what they are."""
    return {name: "present" if getattr(settings, name, None) else "missing" for name in SECRETS}


def versions_block() -> dict[str, Any]:
    """Return what runs here."""
    found = {"python": sys.version.split()[0], "django": django.get_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, "platform": platform.platform(), "database": connection.vendor}


def checks_block() -> dict[str, Any]:
    """Return what the desks say of themselves."""
    return {check.name: _guarded(check.run) for check in collect("status", "CHECKS")}


BLOCKS: dict[str, Callable[[], Any]] = {
    "machine": machine_block,
    "process": process_block,
    "requests": requests_block,
    "database": database_block,
    "cache": cache_block,
    "queue": queue_block,
    "channels": channels_block,
    "secrets": secrets_block,
    "versions": versions_block,
    "checks": checks_block,
}


def _guarded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:
        # The text of an exception may hold an address with a password.
        return {"status": "error", "error": type(error).__name__}


def system_status() -> dict[str, Any]:
    """Return every block and the worst state among them; cached for some seconds."""
    global _cached
    if _cached and time.monotonic() - _cached[0] < CACHE_SECONDS:
        return {**_cached[1], "age_seconds": round(time.monotonic() - _cached[0], 1)}
    blocks = {name: _guarded(read) for name, read in BLOCKS.items()}
    states = {block.get("status") for block in _states(blocks)}
    overall = next((s for s in ("error", "warning") if s in states), "ok")
    answer = {"status": overall, "measured_at": timezone.now().isoformat(), **blocks}
    _cached = (time.monotonic(), answer)
    return {**answer, "age_seconds": 0.0}


def forget_status() -> None:
    """Measure anew at the next call."""
    global _cached
    _cached = None


def _states(blocks: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [block for block in blocks["checks"].values() if isinstance(block, dict)]
    return inner + [block for block in blocks.values() if isinstance(block, dict)]


def queue_oldest_seconds() -> float:
    """Return the age of the oldest waiting task (seconds; 0 when none waits)."""
    oldest = queue.oldest_waiting()
    return round((timezone.now() - oldest).total_seconds(), 1) if oldest else 0.0


def notices_failed() -> float:
    """Return how many alert notices were given up."""
    return float(AlertNotice.objects.filter(status=AlertNotice.Status.FAILED).count())
