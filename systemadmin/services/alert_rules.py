"""Threshold rules on metrics: evaluated by the clock, fired after they held long enough."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from systemadmin import audit
from systemadmin.audited_rows import delete_audited, save_audited
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.plugins import Metric, collect
from systemadmin.models import Alert, AlertRule, User
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.second_person import needs_second_person

logger = logging.getLogger("atalaya.alerts")
RULES = Batch("systemadmin.alert_rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRule:
    """A rule that every installation starts with: fires after `for_seconds` beyond `threshold`."""

    code: str
    title: str
    metric: str
    comparison: str
    threshold: float
    for_seconds: int
    severity: str


# Shipped once; staff may change thresholds or switch a rule off.
DEFAULTS = [
    DefaultRule(
        code="response_time",
        title=gettext_noop("Slow answers"),
        metric="http_response_ms_mean_5m",
        comparison="above",
        threshold=2000,
        for_seconds=120,
        severity="warning",
    ),
    DefaultRule(
        code="error_rate",
        title=gettext_noop("Many errors"),
        metric="http_error_percent_5m",
        comparison="above",
        threshold=5,
        for_seconds=120,
        severity="critical",
    ),
    DefaultRule(
        code="disk_free",
        title=gettext_noop("Disk nearly full"),
        metric="disk_free_percent",
        comparison="below",
        threshold=10,
        for_seconds=300,
        severity="critical",
    ),
    DefaultRule(
        code="memory",
        title=gettext_noop("Memory nearly full"),
        metric="memory_used_percent",
        comparison="above",
        threshold=95,
        for_seconds=300,
        severity="warning",
    ),
    DefaultRule(
        code="queue_depth",
        title=gettext_noop("Queue is long"),
        metric="queue_depth",
        comparison="above",
        threshold=1000,
        for_seconds=300,
        severity="warning",
    ),
    DefaultRule(
        code="queue_stuck",
        title=gettext_noop("Queue is stuck"),
        metric="queue_oldest_seconds",
        comparison="above",
        threshold=600,
        for_seconds=120,
        severity="critical",
    ),
    DefaultRule(
        code="workers",
        title=gettext_noop("No worker is alive"),
        metric="workers_alive",
        comparison="below",
        threshold=1,
        for_seconds=180,
        severity="critical",
    ),
    DefaultRule(
        code="cache",
        title=gettext_noop("The cache does not answer"),
        metric="cache_available",
        comparison="below",
        threshold=1,
        for_seconds=0,
        severity="critical",
    ),
    DefaultRule(
        code="notices_failed",
        title=gettext_noop("Notices could not be sent"),
        metric="notices_failed",
        comparison="above",
        threshold=0,
        for_seconds=60,
        severity="warning",
    ),
]


def ship_default_rules() -> None:
    """Create the shipped rules that are not there yet."""
    for rule in DEFAULTS:
        values = asdict(rule)
        AlertRule.objects.get_or_create(code=values.pop("code"), defaults=values)


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
    rules = {rule.pk: rule for rule in AlertRule.objects.filter(is_enabled=True)}
    wanted = {rule.metric for rule in rules.values()}
    measured = values if values is not None else read_metrics(wanted)
    known = [pk for pk, rule in rules.items() if rule.metric in measured]
    return sum(
        RULES.each(known, lambda pk: _evaluate(rules[pk], measured[rules[pk].metric], moment))
    )


def _evaluate(rule: AlertRule, value: float, now: datetime) -> bool:
    is_breached = _beyond(rule, value, rule.threshold)
    since = (rule.breached_since or now) if is_breached else None
    AlertRule.objects.filter(pk=rule.pk).update(breached_since=since, last_value=value)
    if since is not None and now - since >= timedelta(seconds=rule.for_seconds):
        raise_alert(
            rule=f"metric.{rule.code}",
            severity=rule.severity,
            summary="%(rule_text)s",
            detail="%(metric_text)s: %(value)s (%(comparison_text)s %(threshold)s)",
            facts={
                "rule_text": rule.title,
                "metric_text": _help(rule.metric),
                "value": f"{value:g}",
                "comparison_text": rule.comparison,
                "threshold": f"{rule.threshold:g}",
            },
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


# -- what staff change -------------------------------------------------------------

EDITED = (
    "code",
    "title",
    "metric",
    "comparison",
    "threshold",
    "recovery_threshold",
    "for_seconds",
    "severity",
    "is_enabled",
)


def _as_stored(*, rule: AlertRule | None = None, **_rest: Any) -> AlertRule | None:
    """Return the rule as it was before a change; the row that came in may be changed already."""
    return None if rule is None else AlertRule.objects.filter(pk=rule.pk).first()


def _was_on(*, rule: AlertRule, **_rest: Any) -> bool:
    return AlertRule.objects.filter(pk=rule.pk, is_enabled=True).exists()


_SEVERITIES: Final = [one.value for one in Alert.Severity]


def weaker_parts(before: AlertRule | None, after: AlertRule) -> list[str]:
    """Return the names of what tells less after a change; none where the rule was off.

    Another code, metric or comparison counts: silences go by the code, and nobody can say which
    metric tells more.
    """
    if before is None or not before.is_enabled:
        return []
    if not after.is_enabled:
        return ["is_enabled"]
    found = [
        name
        for name in ("code", "metric", "comparison")
        if getattr(before, name) != getattr(after, name)
    ]
    # For "above" a higher threshold tells less, for "below" a lower one; it ends sooner likewise.
    way = 1 if after.comparison == AlertRule.Comparison.ABOVE else -1
    if way * (after.threshold - before.threshold) > 0:
        found.append("threshold")
    if way * (_recovery(after) - _recovery(before)) > 0:
        found.append("recovery_threshold")
    if after.for_seconds > before.for_seconds:
        found.append("for_seconds")
    if _SEVERITIES.index(after.severity) < _SEVERITIES.index(before.severity):
        found.append("severity")
    return found


def _recovery(rule: AlertRule) -> float:
    return rule.threshold if rule.recovery_threshold is None else rule.recovery_threshold


def _shown_rule(
    *, rule: AlertRule, values: Mapping[str, Any] | None = None, **_rest: Any
) -> list[tuple[Any, Any]]:
    return [
        (_("rule"), f"{rule.title} ({rule.code})"),
        (_("fires"), f"{rule.metric} {rule.comparison} {rule.threshold:g}"),
        *(
            (name, f"{getattr(rule, name)} → {wanted}")
            for name, wanted in (values or {}).items()
            if name in EDITED and getattr(rule, name) != wanted
        ),
    ]


def _help(name: str) -> str:
    """Return what a metric counts, in English."""
    return next((one.help for one in collect("status", "METRICS") if one.name == name), name)


def known_metrics() -> list[str]:
    """Return the names of the metrics that a rule can be about."""
    return sorted(metric.name for metric in collect("status", "METRICS"))


def _check_metric(rule: AlertRule) -> None:
    if rule.metric not in known_metrics():
        raise ValidationError({"metric": gettext("There is no such metric.")})


@needs_second_person(
    "systemadmin.switch_off_alert_rule",
    kind="switch_off",
    title=_("Weaken an alert rule, or switch it off"),
    permission="systemadmin.change_alertrule",
    rule=_(
        "when a rule that is on is switched off, fires later, ends sooner, has a lower severity, "
        "or is about something else"
    ),
    needs=lambda attempt: bool(weaker_parts(attempt.before, attempt.result)),
    subject=lambda attempt: attempt.arguments["rule"],
    before=_as_stored,
    shown=_shown_rule,
)
@transaction.atomic
def save_alert_rule(
    *, actor: User, rule: AlertRule | None = None, values: Mapping[str, Any]
) -> AlertRule:
    """Create or change a rule; raises Django's `ValidationError`, also for an unknown metric."""
    kept = AlertRule() if rule is None else lock_row(AlertRule.objects.all(), pk=rule.pk)
    return save_audited(
        kept,
        values,
        actor=actor,
        action=f"systemadmin.alert_rule.{'added' if rule is None else 'changed'}",
        fields=EDITED,
        before_save=_check_metric,
    )


@needs_second_person(
    "systemadmin.delete_alert_rule",
    kind="switch_off",
    title=_("Delete an alert rule"),
    permission="systemadmin.delete_alertrule",
    rule=_("when the rule is on"),
    needs=lambda attempt: attempt.before,
    subject=lambda attempt: attempt.arguments["rule"],
    before=_was_on,
    shown=_shown_rule,
)
@transaction.atomic
def delete_alert_rule(*, actor: User, rule: AlertRule) -> None:
    """Delete a rule and resolve its alert, which nothing else would ever end."""
    locked = lock_row(AlertRule.objects.all(), pk=rule.pk)
    resolve_alert(rule=f"metric.{locked.code}")
    delete_audited(locked, actor=actor, action="systemadmin.alert_rule.deleted", fields=EDITED)


@transaction.atomic
def send_test_alert(*, actor: User, rule: AlertRule) -> Alert:
    """Raise an alert as the rule would, to see whether it arrives."""
    audit.record("systemadmin.alert_rule.tested", actor=actor, target=rule)
    return raise_alert(
        rule="test",
        key=rule.code,
        severity=rule.severity,
        summary=gettext_noop("Test: %(rule_text)s"),
        facts={"rule_text": rule.title},
    )
