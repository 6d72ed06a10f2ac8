"""The tables whose rows a restore preserves, and the mark that a restore is done."""

import json
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from systemadmin.backups.restore.preserved_rows import DatabaseEndpoint, PreservedTable

USERS: Final = "systemadmin_user"
STATEMENTS: Final = "systemadmin_auditstatement"
RETIRED: Final = f"SELECT coalesce(max(position), 0) FROM {{0}}{STATEMENTS} WHERE kind = 'retired'"  # noqa: S608
PRESERVED_TABLES: Final = (
    # Restored from wherever: this database stays the installation that it is.
    PreservedTable("systemadmin_installation", replace=True),
    PreservedTable("systemadmin_backup", references=(("actor_id", USERS),), replace=True),
    PreservedTable(
        "systemadmin_backupverification", references=(("actor_id", USERS),), replace=True
    ),
    PreservedTable("systemadmin_restore", references=(("actor_id", USERS),), replace=True),
    # Statements are never removed, so they come first: they show that a trail whose old rows
    # retention has removed is the restored one's continuation, and with retention's statement
    # among them the triggers let the same rows go from the restored trail.
    PreservedTable(STATEMENTS, proof=("kind", "position", "signature")),
    PreservedTable(
        "systemadmin_auditentry",
        proof=("action", "target_id", "request_id", "mac"),
        vouched_by=STATEMENTS,
        retire=(
            "DELETE FROM {0}systemadmin_auditentry WHERE id IN (SELECT entry_id"  # noqa: S608
            f" FROM {{0}}systemadmin_auditseal WHERE position <= ({RETIRED}))",
        ),
    ),
    PreservedTable(
        "systemadmin_auditseal",
        key="position",
        proof=("entry_id", "chain_hash"),
        vouched_by=STATEMENTS,
        retire=(f"DELETE FROM {{0}}systemadmin_auditseal WHERE position <= ({RETIRED})",),  # noqa: S608
    ),
    PreservedTable(
        "systemadmin_auditverification", references=(("actor_id", USERS),), replace=True
    ),
)


def mark_done(connection: Any, restore_id: int, *, method: str, warnings: list[str]) -> None:
    """Say in the restored database that this restore is done, how, and with what warnings.

    Written where the restored rows are, it is true exactly when they have become the live ones.
    """
    side = DatabaseEndpoint(connection)
    connection.execute(
        "UPDATE systemadmin_restore SET status = 'done', step = 'swapped',"  # noqa: S608
        f" unfinished = NULL, finished_at = {side.mark}, method = {side.mark},"
        f" warnings = {side.mark} WHERE id = {side.mark}",
        [_moment(side), method, json.dumps(warnings), restore_id],
    )


def _moment(side: DatabaseEndpoint) -> datetime | str:
    now = timezone.now()
    return now if side.is_postgres else now.replace(tzinfo=None).isoformat(sep=" ")
