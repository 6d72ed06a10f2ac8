"""django-q2's records of finished tasks, made safe to read, and the records of refused ones.

A record keeps arguments and result as pickles without a signature, and a hook: the name of a
function that is called when the record is saved. Whoever can write to the table could have the
worker run either. We read data only and call no hooks.
"""

import logging
import uuid
from base64 import b64decode
from binascii import Error as Base64Error
from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.db.models.signals import post_save
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signals import call_hook

from systemadmin.foundation.safe_pickle import NotPlain, load_plain

logger = logging.getLogger("atalaya.queue")

PICKLED: Final = ("args", "kwargs", "result")
UNREADABLE: Final = "(unreadable)"


def make_records_safe() -> None:
    """Let records give back data only, and call no hook."""
    for name in PICKLED:
        Task._meta.get_field(name).to_python = plain_value
    post_save.disconnect(call_hook, sender=Task)


def plain_value(value: Any) -> Any:
    """Return what a stored pickle holds, or a mark when it is more than data."""
    if not isinstance(value, str):
        return value
    try:
        return load_plain(b64decode(value))
    except (NotPlain, Base64Error, ValueError):
        return UNREADABLE


def refuse_task(name: str, reason: str) -> None:
    """Log, record as failed and report a task that may not run."""
    logger.error("task refused", extra={"task": name, "reason": reason})
    moment = timezone.now()
    Task.objects.create(
        id=uuid.uuid4().hex,
        name=name[:100],
        func=name[:256],
        args=(),
        kwargs={},
        started=moment,
        stopped=moment,
        success=False,
        result=reason,
        attempt_count=1,
    )
    report("task", name, reason)


def refuse_row(row_id: int, name: str, reason: str) -> None:
    """Take a row off the queue that no worker may run."""
    OrmQ.objects.filter(pk=row_id).delete()
    refuse_task(name, reason)


def report(kind: str, name: str, reason: str) -> None:
    """Report to the operators; a report that fails is in the log and stops no worker."""
    try:
        import_module(settings.TASK_REFUSALS).report(kind, name, reason)
    except Exception:
        logger.exception("a refusal could not be reported", extra={"task": name})
