"""What the base app tells the status page."""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin.audit_guard import missing_guards
from systemadmin.foundation import queue
from systemadmin.foundation.configuration import setting, unreadable_settings
from systemadmin.foundation.plugins import Metric, StatusCheck
from systemadmin.foundation.ratelimit import store_failure_count
from systemadmin.models import AuditVerification, Backup, Heartbeat, WebhookDelivery
from systemadmin.services import (
    audit_runs,
    batch_failures,
    clusters,
    single_person,
    system_status,
    telemetry,
)
from systemadmin.services.demo import has_demo_rows
from systemadmin.services.retention.files import files_waiting
from systemadmin.services.retention.overview import (
    failing_rules,
    rows_removed,
    unfinished_rules,
)

MOST_NAMES: Final = 50


def demo() -> dict[str, Any]:
    """Demo data where it does not belong is a warning; so is demo mode beside real accounts."""
    has_rows = has_demo_rows()
    misplaced = has_rows and not settings.DEMO_MODE
    return {
        "status": "warning" if misplaced else "ok",
        "demo_mode": settings.DEMO_MODE,
        "demo_rows": has_rows,
    }


def stored_settings() -> dict[str, Any]:
    """Report a stored setting that cannot be read, and so is not in force."""
    unreadable = dict(unreadable_settings())
    return {"status": "warning" if unreadable else "ok", "unreadable": unreadable}


def _about_run(last: AuditVerification | None) -> dict[str, Any]:
    """Return when the trail was last verified, by whom and with what result."""
    if last is None:
        return {"verified_at": None, "verified_by": None, "holds": None, "rows": 0}
    return {
        "verified_at": last.finished_at.isoformat() if last.finished_at else None,
        "verified_by": last.actor_name or "schedule",
        "holds": last.holds,
        "rows": last.checked,
    }


def audit_trail() -> dict[str, Any]:
    """Return the last verification and the triggers; a trail that does not hold is an error."""
    last, missing, late = audit_runs.last_run(), missing_guards(), audit_runs.is_late()
    broken = bool(missing) or (last is not None and last.holds is False)
    return {
        "status": "error" if broken else "warning" if late else "ok",
        **_about_run(last),
        "missing_triggers": missing,
    }


def retention() -> dict[str, Any]:
    """Return rules whose last run ended with an error or came to no end, and files left behind."""
    failing, unfinished, files = failing_rules(), unfinished_rules(), files_waiting()
    return {
        "status": "warning" if failing or files else "ok",
        "failing": failing,
        "unfinished": unfinished,
        "files_waiting": files,
        "removed_by_the_last_runs": rows_removed(),
    }


def pinned_backups() -> dict[str, Any]:
    """Pinned backups older than `backups.pinned_days`: they hold what was erased since."""
    since = timezone.now() - timedelta(days=setting("backups.pinned_days"))
    names = list(Backup.objects.pinned_before(since).values_list("name", flat=True)[:MOST_NAMES])
    return {"status": "warning" if names else "ok", "pinned_too_old": names}


def webhooks() -> dict[str, Any]:
    """Warn when webhooks stand still."""
    late = timezone.now() - timedelta(minutes=10)
    unsent = WebhookDelivery.objects.filter(
        status="pending", next_attempt_at__lt=late, endpoint__is_active=True
    ).count()
    return {"status": "warning" if unsent else "ok", "webhooks_not_sent": unsent}


def failing_webhooks() -> float:
    """Webhook deliveries that were given up."""
    return float(WebhookDelivery.objects.filter(status="failed").count())


CHECKS = [
    StatusCheck(name="demo", run=demo),
    StatusCheck(name="stored_settings", run=stored_settings),
    StatusCheck(name="audit", run=audit_trail),
    StatusCheck(name="retention", run=retention),
    StatusCheck(name="pinned_backups", run=pinned_backups),
    StatusCheck(name="duties", run=single_person.status),
    StatusCheck(name="webhooks", run=webhooks),
]


def _traffic(minutes: int, figure: str) -> Any:
    return lambda: getattr(telemetry.traffic(minutes), figure)


METRICS = [
    Metric(
        name="webhooks_failed",
        help=gettext_noop("Webhook deliveries that were given up"),
        read=failing_webhooks,
    ),
    Metric(
        name="retention_rules_failing",
        help=gettext_noop("Retention rules whose last run ended with an error"),
        read=lambda: float(len(failing_rules())),
    ),
    Metric(
        name="retention_rules_unfinished",
        help=gettext_noop("Retention rules whose last run did not come to its end"),
        read=lambda: float(unfinished_rules()),
    ),
    Metric(
        name="retention_rows_removed",
        help=gettext_noop("Rows that the last run of every retention rule removed"),
        read=lambda: float(rows_removed()),
    ),
    Metric(
        name="retention_files_waiting",
        help=gettext_noop("Stored files whose rows are gone for two days"),
        read=lambda: float(files_waiting()),
    ),
    Metric(
        name="http_response_ms_mean_5m",
        help=gettext_noop("Mean response time over 5 minutes, all processes (ms)"),
        read=_traffic(5, "mean_ms"),
    ),
    Metric(
        name="http_response_ms_p95_5m",
        help=gettext_noop("95th percentile of the response time over 5 minutes (ms)"),
        read=_traffic(5, "p95_ms"),
    ),
    Metric(
        name="http_error_percent_5m",
        help=gettext_noop("Share of answers that were server errors over 5 minutes (percent)"),
        read=_traffic(5, "error_percent"),
    ),
    Metric(
        name="http_requests_per_second_5m",
        help=gettext_noop("Requests per second over 5 minutes"),
        read=_traffic(5, "per_second"),
    ),
    Metric(
        name="disk_free_percent",
        help=gettext_noop("Free share of the disk that holds our data (percent)"),
        read=lambda: system_status.machine_block()["disk_free_percent"],
    ),
    Metric(
        name="memory_used_percent",
        help=gettext_noop("Used share of the memory (percent)"),
        read=lambda: system_status.machine_block()["memory_used_percent"],
    ),
    Metric(
        name="queue_depth", help=gettext_noop("Tasks that wait"), read=lambda: float(queue.depth())
    ),
    Metric(
        name="queue_oldest_seconds",
        help=gettext_noop("Age of the oldest task that waits (seconds)"),
        read=system_status.queue_oldest_seconds,
    ),
    Metric(
        name="workers_alive",
        help=gettext_noop("Workers that gave a sign of life lately"),
        read=lambda: float(telemetry.alive(Heartbeat.Kind.WORKER)),
    ),
    Metric(
        name="cache_available",
        help=gettext_noop(
            "1 while the cache (Redis or the database) keeps values, 0 if it does not"
        ),
        read=system_status.cache_available,
    ),
    Metric(
        name="clusters_missing",
        help=gettext_noop("Configured clusters of workers that gave no sign of life for a minute"),
        read=lambda: float(len(clusters.missing_clusters())),
    ),
    Metric(
        name="batch_rows_given_up",
        help=gettext_noop("Rows that a batch could not handle and tries no more"),
        read=lambda: float(batch_failures.counts()["given_up"]),
    ),
    Metric(
        name="notices_failed",
        help=gettext_noop("Alert notices that were given up"),
        read=system_status.notices_failed,
    ),
    Metric(
        name="ratelimit_store_failures",
        help=gettext_noop("Requests of this process that could not be counted"),
        read=store_failure_count,
    ),
]
