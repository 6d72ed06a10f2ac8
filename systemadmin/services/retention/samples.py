"""How much each table holds: estimated from the database's own figures, kept once a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

from systemadmin.models import TableSample

# SQLite knows no figures of its own: up to so many rows are counted.
MOST_COUNTED: Final = 1_000_000
# reltuples is -1 for a table that was never analyzed: what was inserted and deleted since the
# statistics began is then the best figure. Partitions do not occur.
POSTGRES: Final = (
    "SELECT c.relname, CASE WHEN c.reltuples >= 0 AND s.n_mod_since_analyze = 0 "
    "THEN c.reltuples::bigint ELSE GREATEST(s.n_live_tup, 0) END, pg_total_relation_size(c.oid) "
    "FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid "
    "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
)


@dataclass(frozen=True, slots=True)
class Size:
    """Rows of a table, estimated on PostgreSQL, and its bytes with indexes (None on SQLite)."""

    rows: int
    size: int | None


def table_sizes() -> dict[str, Size]:
    """Return the size of every table by name."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(POSTGRES)
            return {name: Size(int(rows or 0), int(size)) for name, rows, size in cursor.fetchall()}
    return {name: Size(_count(name), None) for name in connection.introspection.table_names()}


def _count(table: str) -> int:
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM {quoted} LIMIT %s) AS t",  # noqa: S608
            [MOST_COUNTED],
        )
        return int(cursor.fetchone()[0])


def sample_tables() -> int:
    """Keep today's sizes; a second call on the same day replaces them. Returns how many tables."""
    today = timezone.now().date()
    rows = [
        TableSample(table=name, day=today, rows=size.rows, size=size.size)
        for name, size in table_sizes().items()
    ]
    TableSample.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["table", "day"],
        update_fields=["rows", "size"],
    )
    return len(rows)


def rows_on(day: date, *, back: int) -> Mapping[str, int]:
    """Return the rows of each table as last measured on the day or up to `back` days before."""
    samples = TableSample.objects.filter(day__lte=day, day__gte=day - timedelta(days=back))
    return dict(samples.order_by("day").values_list("table", "rows"))
