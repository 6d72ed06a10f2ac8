"""Raising and resolving alerts."""

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from systemadmin.models import Alert


def raise_alert(
    *, rule: str, severity: str, summary: str, detail: str = "", key: str = ""
) -> Alert:
    """Raise an alert, or count up the open one of the same rule and key."""
    open_alerts = Alert.objects.filter(rule=rule, key=key).exclude(status=Alert.Status.RESOLVED)
    seen = {"count": F("count") + 1, "last_seen_at": timezone.now(), "detail": detail}
    if not open_alerts.update(**seen):
        try:
            with transaction.atomic():
                return Alert.objects.create(
                    rule=rule,
                    key=key,
                    severity=severity,
                    summary=summary[:300],
                    detail=detail,
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
