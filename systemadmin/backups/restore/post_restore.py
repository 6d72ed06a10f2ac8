"""After a restore: migrate, and drop old tasks, sessions and notices."""

from contextlib import nullcontext

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F
from django.utils import timezone

from systemadmin.backups import tombstones
from systemadmin.backups.errors import IncompatibleBackup
from systemadmin.backups.restore.steps import Findings
from systemadmin.events import database_restored
from systemadmin.foundation.integrity import find_problems
from systemadmin.foundation.outbox import skip_pending
from systemadmin.foundation.queue import forget_all
from systemadmin.foundation.snapshots import use_open_transaction
from systemadmin.models import (
    AccessLink,
    ApiToken,
    ApprovalRequest,
    Demo2FASession,
    IdempotencyKey,
    UserSession,
)
from systemadmin.services.erasure import erase_again


def reset_restored(*, purge: bool) -> Findings:
    """Bring the default database, just restored, to this code's state, and check it.

    Inside a transaction a migration that cannot be part of one raises `IncompatibleBackup`.
    """
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    lone = [str(migration) for migration, _backwards in plan if not migration.atomic]
    if connection.in_atomic_block and lone:
        raise IncompatibleBackup(
            f"The backup is older than {lone[0]}, which cannot be applied in place: "
            "restore it with a role that has CREATEDB."
        )
    if plan:
        call_command("migrate", interactive=False, verbosity=0)
    elif purge:
        # Roles and schedules follow the code, which may be newer than the backup.
        call_command("setup", verbosity=0)
    warnings = [*forget_unfinished_business(), *_erase_again()] if purge else []
    # In place the checks run inside the restore's own transaction, which holds every table.
    with use_open_transaction() if connection.in_atomic_block else nullcontext():
        warnings += find_problems(repairable=True)
        return Findings(problems=find_problems(repairable=False), warnings=warnings)


def _erase_again() -> list[str]:
    erased = erase_again(tombstones.received())
    return [f"{erased} accounts that were erased since were erased again"] if erased else []


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
    # Decided since, perhaps refused: what should still be done is asked for again.
    ApprovalRequest.objects.undecided().update(
        state=ApprovalRequest.State.EXPIRED,
        decided_at=timezone.now(),
        version=F("version") + 1,
    )
    AccessLink.objects.usable().update(expires_at=timezone.now())
    database_restored.send(sender=None)
    said = []
    if tasks:
        said.append(f"{tasks} queued tasks of the backup were dropped")
    if notices:
        said.append(f"{notices} unsent notices of the backup were skipped")
    return said
