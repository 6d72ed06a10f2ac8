"""Reports of what the queue refused to run: an alert for operators and a row in the audit trail."""

from django.db import transaction
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.services.alerts import raise_alert

SUMMARIES = {
    "task": gettext_noop("The queue refused a task that is not ours: %(name)s"),
    "schedule": gettext_noop("A schedule in the database is not one of ours: %(name)s"),
    "repair": gettext_noop(
        "A schedule in the database was changed by hand and put right: %(name)s"
    ),
}


@transaction.atomic
def report(kind: str, name: str, reason: str) -> None:
    """Raise an alert and write an audit row about a task or schedule."""
    raise_alert(
        rule=f"queue.{kind}_refused" if kind != "repair" else "queue.schedule_repaired",
        key=name[:100],
        severity="warning" if kind == "repair" else "critical",
        summary=SUMMARIES[kind],
        detail=gettext_noop(
            "%(reason)s\nWhoever wrote it can write to the database: find out how."
        ),
        facts={"name": name[:200], "reason": reason[:1000]},
    )
    audit.record(
        f"systemadmin.queue.{kind}_{'done' if kind == 'repair' else 'refused'}",
        reason=reason[:1000],
        metadata={"name": name[:200]},
    )
