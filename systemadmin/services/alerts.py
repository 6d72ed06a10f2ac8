"""Alerts: raised, acknowledged, silenced, resolved."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput, RuleViolation
from systemadmin.models import Alert, AlertSilence, User
from systemadmin.services.duties import decides
from systemadmin.services.second_person import Attempt, needs_second_person

ACTED_ALONE_RULE = "duties.acted_alone"


class AlertAlreadyResolved(RuleViolation):
    """The alert was resolved already."""

    code = "alert_already_resolved"
    default_detail = _("The alert is already resolved.")


class AlertAlreadyAcknowledged(RuleViolation):
    """Somebody has acknowledged the alert already."""

    code = "alert_already_acknowledged"
    default_detail = _("The alert is already acknowledged.")


def raise_alert(
    *,
    rule: str,
    severity: str,
    summary: str,
    detail: str = "",
    key: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Alert:
    """Raise an alert, or count up the open one of the same rule and key.

    `summary` and `detail` are English texts marked with `gettext_noop`; `facts` fill their places,
    as `%(name)s`. So each reader sees them in a language of their own. A fact whose name ends in
    `_text` is such a text too.

    The composer (`alert_delivery`) notifies the channels, outside this transaction.
    """
    open_alerts = Alert.objects.filter(rule=rule, key=key).exclude(status=Alert.Status.RESOLVED)
    seen = {"count": F("count") + 1, "last_seen_at": timezone.now(), "detail": detail}
    seen["facts"] = said = dict(facts or {})
    if not open_alerts.update(**seen):
        try:
            with transaction.atomic():
                return Alert.objects.create(
                    rule=rule,
                    key=key,
                    severity=severity,
                    summary=summary[:300],
                    detail=detail,
                    facts=said,
                    last_seen_at=timezone.now(),
                )
        except IntegrityError:  # a rival raised it between the two statements
            open_alerts.update(**seen)
    return open_alerts.get()


def resolve_alert(*, rule: str, key: str = "") -> int:
    """Mark the open alert of this rule and key as resolved; return how many were (0 or 1)."""
    return (
        Alert.objects.filter(rule=rule, key=key)
        .exclude(status=Alert.Status.RESOLVED)
        .update(status=Alert.Status.RESOLVED, resolved_at=timezone.now())
    )


def _reported_account(*, alert: Alert, **_rest: Any) -> list[int]:
    """Return the account that an alert names in its key, or in its detail who acted alone."""
    if alert.rule == ACTED_ALONE_RULE:
        return list(User.objects.filter(username=alert.detail).values_list("pk", flat=True))
    return [] if alert.account_id is None else [alert.account_id]


@decides(
    "systemadmin.resolve_alert", permission="systemadmin.change_alert", concerns=_reported_account
)
@transaction.atomic
def resolve_by_hand(*, actor: User, alert: Alert) -> Alert:
    """Mark an open alert as over because somebody says so; raises `AlertAlreadyResolved`."""
    locked = lock_row(Alert.objects.all(), pk=alert.pk)
    if locked.status == Alert.Status.RESOLVED:
        raise AlertAlreadyResolved
    before = {"status": locked.status}
    locked.status, locked.resolved_at = Alert.Status.RESOLVED, timezone.now()
    locked.save(update_fields=["status", "resolved_at", "updated_at"])
    audit.record("systemadmin.alert.resolved", actor=actor, target=locked, before=before)
    return locked


@decides(
    "systemadmin.acknowledge_alert",
    permission="systemadmin.change_alert",
    concerns=_reported_account,
)
@transaction.atomic
def acknowledge_alert(*, actor: User, alert: Alert, note: str = "") -> Alert:
    """Take an alert: repeats stop, its end is still reported.

    Raises `AlertAlreadyResolved` and `AlertAlreadyAcknowledged`.
    """
    locked = lock_row(Alert.objects.all(), pk=alert.pk)
    if locked.status == Alert.Status.RESOLVED:
        raise AlertAlreadyResolved
    if locked.status == Alert.Status.ACKNOWLEDGED:
        raise AlertAlreadyAcknowledged
    locked.status = Alert.Status.ACKNOWLEDGED
    locked.acknowledged_at, locked.acknowledged_by = timezone.now(), actor
    locked.note = note
    locked.save(
        update_fields=["status", "acknowledged_at", "acknowledged_by", "note", "updated_at"]
    )
    audit.record("systemadmin.alert.acknowledged", actor=actor, target=locked, reason=note)
    return locked


def _is_long(attempt: Attempt) -> bool:
    """Return whether nobody would hear for long, counting the silences that it follows."""
    limit = timedelta(hours=setting("duties.second_person_silence_hours"))
    silence: AlertSilence = attempt.result
    lately = AlertSilence.objects.filter(
        rule=silence.rule, key=silence.key, until__gt=timezone.now() - limit
    )
    begun = lately.order_by("created_at").values_list("created_at", flat=True).first()
    return silence.until - (begun or silence.created_at) >= limit


@decides(
    "systemadmin.silence_alert", permission="systemadmin.change_alert", concerns=_reported_account
)
@needs_second_person(
    "systemadmin.silence_alert",
    kind="switch_off",
    title=gettext_lazy("Silence an alert for long"),
    permission="systemadmin.change_alert",
    rule=gettext_lazy("from `duties.second_person_silence_hours`"),
    needs=_is_long,
    subject=lambda attempt: attempt.arguments["alert"],
    state=lambda *, alert, **_rest: [alert.rule, alert.key],
    shown=lambda *, alert, until, **_rest: [
        (gettext_lazy("alert"), f"{alert.rule} {alert.key}"),
        (gettext_lazy("until"), until),
    ],
)
@transaction.atomic
def silence_alert(*, actor: User, alert: Alert, until: datetime, reason: str) -> AlertSilence:
    """Send no notices of this rule and subject until then; raises `InvalidInput`."""
    if until <= timezone.now():
        raise InvalidInput("until", _("The end must lie in the future."))
    silence = AlertSilence.objects.create(
        rule=alert.rule, key=alert.key, until=until, reason=reason, created_by=actor
    )
    audit.record(
        "systemadmin.alert.silenced",
        actor=actor,
        target=alert,
        after={"until": until},
        reason=reason,
    )
    return silence
