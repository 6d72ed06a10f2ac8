"""Threshold rules on metrics: evaluated by the clock, fired after they held long enough."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from systemadmin.foundation.sockets import Metric, collect
from systemadmin.models import AlertRule
from systemadmin.services.alerts import raise_alert, resolve_alert

logger = logging.getLogger("atalaya.alerts")

# Shipped once; staff may change thresholds or switch a rule off.
DEFAULTS = [
    ("response_time", "Slow answers", "http_response_ms_mean_5m", "above", 2000, 120, "warning"),
    ("error_rate", "Many errors", "http_error_percent_5m", "above", 5, 120, "critical"),
    ("disk_free", "Disk nearly full", "disk_free_percent", "below", 10, 300, "critical"),
    ("memory", "Memory nearly full", "memory_used_percent", "above", 95, 300, "warning"),
    ("queue_depth", "Queue is long", "queue_depth", "above", 1000, 300, "warning"),
    ("queue_stuck", "Queue is stuck", "queue_oldest_seconds", "above", 600, 120, "critical"),
    ("workers", "No worker is alive", "workers_alive", "below", 1, 180, "critical"),
    ("cache", "The cache does not answer", "cache_available", "below", 1, 0, "critical"),
    ("notices_failed", "Notices could not be sent", "notices_failed", "above", 0, 60, "warning"),
]


def ship_default_rules() -> None:
    """Create the shipped rules that are not there yet."""
    for code, title, metric, comparison, threshold, seconds, severity in DEFAULTS:
        AlertRule.objects.get_or_create(
            code=code,
            defaults={
                "title": title,
                "metric": metric,
                "comparison": comparison,
                "threshold": threshold,
                "for_seconds": seconds,
                "severity": severity,
            },
        )


def read_metrics(names: set[str]) -> dict[str, float]:
    """Return the metrics' values; one that cannot be read is left out and logged."""
    values: dict[str, float] = {}
    metric: Metric
    for metric in collect("status", "METRICS"):
        if metric.name not in names:
            continue
        try:
            values[metric.name] = float(metric.read())
        except Exception:
            logger.exception("metric cannot be read", extra={"metric": metric.name})
    return values


def evaluate_rules(values: Mapping[str, float] | None = None, now: datetime | None = None) -> int:
    """Compare every enabled rule with its metric; return how many fire."""
    moment = now or timezone.now()
    rules = list(AlertRule.objects.filter(is_enabled=True))
    measured = values if values is not None else read_metrics({rule.metric for rule in rules})
    firing = 0
    for rule in rules:
        if rule.metric in measured:
            with transaction.atomic():
                firing += _evaluate(rule, measured[rule.metric], moment)
    return firing


def _evaluate(rule: AlertRule, value: float, now: datetime) -> bool:
    is_breached = _beyond(rule, value, rule.threshold)
    since = (rule.breached_since or now) if is_breached else None
    AlertRule.objects.filter(pk=rule.pk).update(breached_since=since, last_value=value)
    if since is not None and now - since >= timedelta(seconds=rule.for_seconds):
        raise_alert(
            rule=f"metric.{rule.code}",
            severity=rule.severity,
            summary=rule.title,
            detail=f"{rule.metric} = {value:g} ({rule.comparison} {rule.threshold:g})",
        )
        return True
    back = rule.recovery_threshold if rule.recovery_threshold is not None else rule.threshold
    if not is_breached and not _beyond(rule, value, back):
        resolve_alert(rule=f"metric.{rule.code}")
    return False


def _beyond(rule: AlertRule, value: float, threshold: float) -> bool:
    if rule.comparison == AlertRule.Comparison.ABOVE:
        return value > threshold
    return value < threshold
