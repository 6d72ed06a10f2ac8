"""How the risk engine is doing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from riskops.models import PendingScore, RecomputeRun
from systemadmin.foundation.plugins import Metric, StatusCheck

# The schedule takes them off every minute; that many mean it does not run.
TOO_MANY_PENDING = 50_000
TOO_LONG = timedelta(hours=6)


def pending_scores() -> float:
    """Return accounts whose facts changed and whose score was not looked at yet."""
    return PendingScore.objects.count()


def oldest_open_run() -> float:
    """Return seconds since the oldest unfinished recompute began, 0 for none."""
    run = RecomputeRun.objects.filter(finished_at__isnull=True).order_by("created_at").first()
    return (timezone.now() - run.created_at).total_seconds() if run else 0


def check_scores() -> dict[str, Any]:
    """Return whether scores keep up with the events."""
    pending, open_for = pending_scores(), oldest_open_run()
    found: dict[str, Any] = {"status": "ok", "pending": int(pending), "run_open_s": int(open_for)}
    if pending > TOO_MANY_PENDING:
        found |= {"status": "warning", "detail": _("Scores lag behind: does the worker run?")}
    if open_for > TOO_LONG.total_seconds():
        found |= {"status": "warning", "detail": _("A recompute does not come to its end.")}
    return found


CHECKS = [StatusCheck(name="risk scores", run=check_scores)]
METRICS = [
    Metric(
        name="risk_pending_scores",
        help=gettext_noop("Accounts waiting for their risk score"),
        read=pending_scores,
    ),
    Metric(
        name="risk_open_run_seconds",
        help=gettext_noop("Age of the oldest unfinished recompute"),
        read=oldest_open_run,
    ),
]

# How the status page names what the checks tell, by key.
WORDS = [
    ("risk scores", gettext_lazy("Risk scores")),
    ("pending", gettext_lazy("Accounts waiting for a score")),
    ("run_open_s", gettext_lazy("Seconds since an unfinished recompute began")),
    ("detail", gettext_lazy("Detail")),
]
