"""Delete or empty the rows that a rule lets go, chunk by chunk, each in a short transaction."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import BooleanField, Model, QuerySet
from django.db.models.expressions import RawSQL

from systemadmin.foundation.retention import Rows, Table, conditions
from systemadmin.querysets.legal_holds import held_accounts
from systemadmin.services.retention.files import delete_files, note_files

# SQLite takes no more than 999 values in a statement of the library versions still in use.
CHUNK = {"postgresql": 5000, "sqlite": 900}
# Rows looked at per window where no index leads to the old ones.
WINDOW = 20_000


def chunk_size() -> int:
    """Return the number of rows per transaction on the database in use."""
    return CHUNK[connection.vendor]


def due_rows(table: Table, rule: Rows, cutoff: datetime) -> QuerySet[Any]:
    """Return the rows that the rule lets go, without those of accounts under a legal hold."""
    rows = table.model_class._base_manager.filter(conditions(rule, cutoff))
    for owner in table.owners:
        rows = rows.exclude(**{f"{owner}__in": held_accounts()})
    return rows


def has_index(model: type[Model], column: str) -> bool:
    """Return whether an index over all rows begins with the column."""
    whole = [index for index in model._meta.indexes if index.condition is None]
    first = {index.fields[0].lstrip("-") for index in whole if index.fields}
    field = model._meta.get_field(column)
    return column in first or getattr(field, "db_index", False) or getattr(field, "unique", False)


def remove_due(
    table: Table, rule: Rows, cutoff: datetime, *, on_chunk: Callable[[int], bool]
) -> int:
    """Remove what is due; returns how many rows. `on_chunk(removed)` returns False to stop.

    Rows are visited in the order of an index, each once: asking for the oldest due rows again and
    again would read what must stay (rows on hold, rows in use) before every chunk.
    """
    removed = 0
    for window in _windows(table, rule, cutoff):
        gone = _remove(table, rule, window)
        removed += gone
        if gone and not on_chunk(gone):
            break
    return removed


def _windows(table: Table, rule: Rows, cutoff: datetime) -> Iterator[QuerySet[Any]]:
    due = due_rows(table, rule, cutoff)
    is_indexed = "__" not in rule.moment and has_index(table.model_class, rule.moment)
    return _chunks(due, rule.moment) if is_indexed else _by_key(due)


def first_window(table: Table, rule: Rows, cutoff: datetime) -> QuerySet[Any]:
    """Return the query of the first rows that would be removed, for a look at its plan."""
    return next(_windows(table, rule, cutoff))


def _by_key(due: QuerySet[Any]) -> Iterator[QuerySet[Any]]:
    """Yield windows along the primary key; each holds few due rows, or one is cut into chunks."""
    everything = due.model._base_manager.order_by("pk").values_list("pk", flat=True)
    low: Any = None
    while True:
        rest = everything if low is None else everything.filter(pk__gt=low)
        high = next(iter(rest[WINDOW - 1 : WINDOW]), None)
        here = due if low is None else due.filter(pk__gt=low)
        here = here if high is None else here.filter(pk__lte=high)
        yield from _chunks(here, "pk")
        if high is None:
            return
        low = high


def _chunks(due: QuerySet[Any], along: str) -> Iterator[QuerySet[Any]]:
    """Yield parts of the due rows, in order, ending with whole moments: two rows may share one."""
    size = chunk_size()
    ordered = due.order_by(along)
    floor: Any = None
    while True:
        rest = ordered if floor is None else ordered.filter(**{f"{along}__gt": floor})
        edge = next(iter(rest.values_list(along, flat=True)[size - 1 : size]), None)
        yield rest if edge is None else rest.filter(**{f"{along}__lte": edge})
        if edge is None:
            return
        floor = edge


def _remove(table: Table, rule: Rows, window: QuerySet[Any]) -> int:
    """Remove the rows of one window, in transactions of at most one chunk."""
    removed, size = 0, chunk_size()
    while True:
        with transaction.atomic():
            keys = _locked_keys(window, size)
            if keys:
                _act(table, rule, keys)
        removed += len(keys)
        if rule.files and keys:
            delete_files()
        if len(keys) < size:
            return removed


def _locked_keys(window: QuerySet[Any], size: int) -> list[Any]:
    """Lock rows and return their keys. Those that a worker holds wait for the next night."""
    if sum(1 for uses in window.query.alias_refcount.values() if uses) > 1:
        # Of the joined tables nothing is locked; Django can say so for whole rows only.
        locked = window.select_for_update(skip_locked=True, of=("self",)).only("pk")
        return [row.pk for row in locked[:size]]
    return list(window.select_for_update(skip_locked=True).values_list("pk", flat=True)[:size])


def _rows_of(model: type[Model], keys: Sequence[Any]) -> QuerySet[Any]:
    """Return the rows with these keys; on PostgreSQL by one array.

    The driver takes a statement of 5000 placeholders apart for longer than the server needs for it.
    """
    rows = model._base_manager.all()
    if connection.vendor != "postgresql":
        return rows.filter(pk__in=keys)
    column = connection.ops.quote_name(str(model._meta.pk.column))
    own = f"{connection.ops.quote_name(model._meta.db_table)}.{column}"
    return rows.filter(RawSQL(f"{own} = ANY(%s)", [list(keys)], output_field=BooleanField()))  # noqa: S611


def _act(table: Table, rule: Rows, keys: Sequence[Any]) -> None:
    rows = _rows_of(table.model_class, keys)
    if rule.before is not None:
        rule.before(keys)
    if rule.blank is not None:
        rows.update(**dict(rule.blank))
        return
    note_files(table, rule, keys)
    rows.only("pk").delete()


def count_due(table: Table, rule: Rows, cutoff: datetime, *, most: int) -> int:
    """Return how many rows are due, counted up to `most`."""
    return due_rows(table, rule, cutoff).order_by()[:most].count()
