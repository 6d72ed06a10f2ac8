"""What a restored database must not go on with: old tasks, old sessions, old notices."""

from django.contrib.sessions.models import Session
from django.db import transaction

from systemadmin.events import database_restored
from systemadmin.foundation.outbox import skip_pending
from systemadmin.foundation.queue import forget_all
from systemadmin.models import (
    ApiToken,
    Demo2FASession,
    IdempotencyKey,
    UserSession,
)


@transaction.atomic
def forget_unfinished_business() -> list[str]:
    """Empty the queue, end every session and token, skip unsent notices; gives back warnings.

    What was unfinished in the snapshot has long since been done (or undone) outside.
    """
    tasks = forget_all()
    for sessions in (Session, UserSession, Demo2FASession, ApiToken):
        sessions._default_manager.all().delete()
    IdempotencyKey.objects.all().delete()
    notices = skip_pending("restored from a backup")
    database_restored.send(sender=None)
    said = []
    if tasks:
        said.append(f"{tasks} queued tasks of the backup were dropped")
    if notices:
        said.append(f"{notices} unsent notices of the backup were skipped")
    return said
