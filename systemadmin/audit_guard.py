"""Are the triggers that keep the audit trail in place, switched on and unchanged?"""

from importlib import import_module
from typing import Any, Final

from django.db import connection

# The migration owns the triggers' text; comparing with it leaves no second copy to go stale.
_MIGRATION: Final[Any] = import_module("systemadmin.migrations.0003_audit_authentication")
# pg_trigger.tgtype: row 1, before 2, delete 8, update 16, truncate 32.
_KEEP, _TRUNCATE = 1 + 2 + 8 + 16, 2 + 32
_POSTGRES_TRIGGERS = """
    SELECT t.tgname, c.relname, t.tgtype, p.proname, p.prosrc
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgqual IS NULL AND t.tgenabled IN ('O', 'A')
      AND c.oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
"""


def missing_guards() -> list[str]:
    """Return the names of triggers that are missing, switched off or changed."""
    if connection.vendor == "postgresql":
        return _missing_on_postgres()
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        found = dict(cursor.fetchall())
    return sorted(name for name, text in _MIGRATION.SQLITE.items() if found.get(name) != text)


def _missing_on_postgres() -> list[str]:
    tables = _MIGRATION.TABLES
    body = (_MIGRATION.FUNCTION, _MIGRATION.KEEP_BODY)
    expected = {(f"{stem}_keep", table, _KEEP, *body) for stem, table in tables.items()}
    expected |= {(f"{stem}_truncate", table, _TRUNCATE, *body) for stem, table in tables.items()}
    with connection.cursor() as cursor:
        cursor.execute(_POSTGRES_TRIGGERS, [list(tables.values())])
        found = {tuple(row) for row in cursor.fetchall()}
        cursor.execute("SHOW session_replication_role")
        role = cursor.fetchone()[0]
    missing = sorted(trigger[0] for trigger in expected - found)
    # With another role the server runs no trigger at all.
    return missing if role == "origin" else [*missing, f"session_replication_role={role}"]
