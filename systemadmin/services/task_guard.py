"""What the queue asks of the base app: leases of tasks, and attempts counted before they run.

django-q2 counts an attempt when a task ends, so one that takes its worker down with it
would be tried for ever.
"""

from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin.models import TaskAttempt
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.task_leases import ended, finished, started, tick, took

__all__ = ["begin", "end", "ended", "finished", "started", "tick", "took"]

MOST_ATTEMPTS = 3
_started_again: dict[str, str] = {}


def begin(key: str, path: str) -> bool:
    """Note that a task starts; False when it must not, for it never came to an end before."""
    attempt, _created = TaskAttempt.objects.get_or_create(
        key=key, defaults={"path": path[:200], "started_at": timezone.now()}
    )
    if attempt.attempts >= MOST_ATTEMPTS:
        if attempt.quarantined_at is None:
            TaskAttempt.objects.filter(key=key).update(quarantined_at=timezone.now())
            resolve_alert(rule="queue.worker_died", key=path)
            raise_alert(
                rule="queue.task_quarantined",
                key=key,
                severity="critical",
                summary=gettext_noop("A task was set aside: %(task)s"),
                detail=gettext_noop("It was started %(times)s times and never ended."),
                facts={"task": path, "times": attempt.attempts},
            )
        return False
    if attempt.attempts:
        _started_again[key] = path
        raise_alert(
            rule="queue.worker_died",
            key=path,
            severity="warning",
            summary=gettext_noop("A worker died in a task, which runs again: %(task)s"),
            detail=gettext_noop("Attempt %(attempt)s of %(most)s."),
            facts={"task": path, "attempt": attempt.attempts + 1, "most": MOST_ATTEMPTS},
        )
    TaskAttempt.objects.filter(key=key).update(
        attempts=attempt.attempts + 1, started_at=timezone.now()
    )
    return True


def end(key: str) -> None:
    """Note that a task ended, well or with an exception."""
    TaskAttempt.objects.filter(key=key).delete()
    path = _started_again.pop(key, None)
    if path is not None:
        resolve_alert(rule="queue.worker_died", key=path)
