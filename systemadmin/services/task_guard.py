"""A task that keeps killing its worker: counted before it runs, then set aside and told.

django-q2 counts an attempt when a task ends, so one that takes its worker down with it
would be tried for ever.
"""

from django.utils import timezone

from systemadmin.models import TaskAttempt
from systemadmin.services.alerts import raise_alert

MOST_ATTEMPTS = 3


def begin(key: str, path: str) -> bool:
    """Note that a task starts; False when it must not, for it never came to an end before."""
    attempt, _created = TaskAttempt.objects.get_or_create(
        key=key, defaults={"path": path[:200], "started_at": timezone.now()}
    )
    if attempt.attempts >= MOST_ATTEMPTS:
        if attempt.quarantined_at is None:
            TaskAttempt.objects.filter(key=key).update(quarantined_at=timezone.now())
            raise_alert(
                rule="queue.task_quarantined",
                key=key,
                severity="critical",
                summary=f"A task was set aside: {path}"[:300],
                detail=f"It was started {attempt.attempts} times and never ended.",
            )
        return False
    TaskAttempt.objects.filter(key=key).update(
        attempts=attempt.attempts + 1, started_at=timezone.now()
    )
    return True


def end(key: str) -> None:
    """Note that a task ended, well or with an exception."""
    TaskAttempt.objects.filter(key=key).delete()
