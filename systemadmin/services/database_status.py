"""What the database says of itself: PostgreSQL's own figures, or SQLite's file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

# Name -> one-row query; figures as PgHero shows them. Each may fail alone: a role
# without the right to a view still sees the others.
POSTGRES_FIGURES = {
    "connections": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    "max_connections": "SELECT current_setting('max_connections')::int",
    "longest_transaction_seconds": (
        "SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::float "
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ),
    "longest_query_seconds": (
        "SELECT coalesce(extract(epoch FROM max(now() - query_start)), 0)::float "
        "FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
        "AND pid <> pg_backend_pid()"
    ),
    "idle_in_transaction": (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'idle in transaction' AND now() - state_change > interval '1 minute'"
    ),
    "waiting_for_locks": (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock'"
    ),
    "cache_hit_percent": (
        "SELECT round(100.0 * sum(blks_hit) / nullif(sum(blks_hit) + sum(blks_read), 0), 2)"
        "::float FROM pg_stat_database WHERE datname = current_database()"
    ),
    "size": "SELECT pg_database_size(current_database())",
    "dead_rows": "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables",
    "wraparound_age": (
        "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()"
    ),
    "replication_lag_seconds": (
        "SELECT coalesce(max(extract(epoch FROM replay_lag)), 0)::float FROM pg_stat_replication"
    ),
}
LARGEST_TABLES = (
    "SELECT relname, pg_table_size(relid), pg_indexes_size(relid), n_live_tup, n_dead_tup "
    "FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC LIMIT 10"
)
SLOW_QUERIES = (
    "SELECT left(query, 200), calls, round(mean_exec_time::numeric, 1)::float "
    "FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database "
    "WHERE datname = current_database()) ORDER BY mean_exec_time DESC LIMIT 5"
)


def database_block() -> dict[str, Any]:
    """Return the figures of the database in use, with the state of its migrations."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    figures = _postgres() if connection.vendor == "postgresql" else _sqlite()
    return {
        "status": "error" if missing else "ok",
        "engine": connection.vendor,
        "unapplied_migrations": len(missing),
        **figures,
    }


def _rows(sql: str) -> list[tuple[Any, ...]] | None:
    """Run one query under a time-out of its own; None when it fails."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '2s'")
            cursor.execute(sql)
            return cursor.fetchall()
    except DatabaseError:
        return None


def _postgres() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, sql in POSTGRES_FIGURES.items():
        rows = _rows(sql)
        figures[name] = rows[0][0] if rows else None
    columns = ("table", "size", "index_size", "rows", "dead_rows")
    figures["largest_tables"] = [
        dict(zip(columns, row, strict=True)) for row in _rows(LARGEST_TABLES) or []
    ]
    slow = _rows(SLOW_QUERIES)  # None without the pg_stat_statements extension
    figures["slow_queries"] = [
        {"query": query, "calls": calls, "mean_ms": mean} for query, calls, mean in slow or []
    ]
    return figures


def _sqlite() -> dict[str, Any]:
    path = Path(str(settings.DATABASES["default"]["NAME"]))
    wal = path.with_name(path.name + "-wal")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0]
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute("PRAGMA page_size")
        size = pages * cursor.fetchone()[0]
        cursor.execute("PRAGMA quick_check(1)")
        integrity = cursor.fetchone()[0]
    return {
        "journal_mode": mode,
        "size": size,
        "wal_size": wal.stat().st_size if wal.exists() else 0,
        "integrity": integrity,
    }
