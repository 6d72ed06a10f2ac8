"""Replace the live database's contents in one transaction, in the child process."""

from typing import IO

from django.db import connection, transaction

from systemadmin.backups.engines.postgres import in_place
from systemadmin.backups.engines.postgres import stored_properties as postgres_properties
from systemadmin.backups.engines.postgres.engine import PostgresEngine
from systemadmin.backups.errors import ContentMismatch, DatabaseBusy, PropertiesNotSet
from systemadmin.backups.format.manifest import Manifest
from systemadmin.backups.restore.narrowing import narrow, read_tables
from systemadmin.backups.restore.post_restore import reset_restored
from systemadmin.backups.restore.preserved_rows import DatabaseEndpoint, copy_tables
from systemadmin.backups.restore.preserved_tables import PRESERVED_TABLES, mark_done
from systemadmin.backups.vault import open_vault


def replace_contents(manifest: Manifest, dump: IO[bytes], restore_id: int) -> list[str]:
    """Empty, load, compare, migrate, check, carry over and mark: all of it, or nothing.

    Gives back warnings. Raises `BackupError`; every database error, a killed process and a lost
    connection undo everything too.
    """
    engine = open_vault().engine
    if not isinstance(engine, PostgresEngine):
        raise DatabaseBusy("Only PostgreSQL is restored in place.")
    with transaction.atomic():
        raw = connection.connection
        before = postgres_properties.read(raw, engine.database)
        if reason := in_place.reason_in_place_impossible(raw):
            raise DatabaseBusy(reason)
        # What waits for the end of the transaction would forbid the migrations' ALTER TABLE.
        raw.execute("SET CONSTRAINTS ALL IMMEDIATE")
        in_place.lock_everything(engine, raw)
        wanted = [*(item.table for item in PRESERVED_TABLES), *read_tables()]
        kept = in_place.keep(raw, dict.fromkeys(wanted))
        in_place.empty(raw)
        warnings = in_place.fill(engine, raw, dump, manifest)
        reset = reset_restored(purge=True)
        if reset.problems:
            raise ContentMismatch("; ".join(reset.problems[:10]))
        in_place.check_kept(raw, kept)
        live, restored = DatabaseEndpoint(raw, in_place.KEPT), DatabaseEndpoint(raw)
        carried = copy_tables(live, restored, PRESERVED_TABLES)
        carried += narrow(live, restored)
        warnings = [*warnings, *reset.warnings, *carried]
        mark_done(raw, restore_id, method="in_place", warnings=warnings)
        if postgres_properties.read(raw, engine.database) != before:
            raise PropertiesNotSet("The load changed a property of the database itself.")
    return warnings
