"""Row locks with the optimistic check that `If-Match` promises."""

from typing import Any, TypeVar

from django.db import connection, models
from django.db.models import Manager, QuerySet

from systemadmin.foundation.errors import NotFound, StaleVersion

ModelT = TypeVar("ModelT", bound=models.Model)


def lock_row(
    queryset: QuerySet[ModelT] | Manager[ModelT],
    *,
    expected_version: int | None = None,
    **lookup: Any,
) -> ModelT:
    """Return the row locked until the transaction ends.

    On PostgreSQL the row is locked; on SQLite the transaction itself (`IMMEDIATE`) is
    the lock. Raises `NotFound`, and `StaleVersion` when `expected_version` is not the
    row's.
    """
    rows = queryset.filter(**lookup)
    if connection.features.has_select_for_update:
        # Only the row itself: a nullable joined table cannot be locked on PostgreSQL.
        rows = rows.select_for_update(of=("self",))
    row = rows.first()
    if row is None:
        raise NotFound
    check_version(row, expected_version)
    return row


def check_version(row: models.Model, expected_version: int | None) -> None:
    """Raise `StaleVersion` when the caller edited an older version of `row`."""
    found = getattr(row, "version", None)
    if expected_version is not None and found != expected_version:
        raise StaleVersion(extra={"current_version": found})


def remember_read_version(row: models.Model, version: int | None) -> None:
    """Note the version of `row` that a person had before their eyes when they decided."""
    row._read_version = version  # type: ignore[attr-defined]


def read_version(row: models.Model) -> int | None:
    """Return the version noted by `remember_read_version`, None where nothing is known."""
    return getattr(row, "_read_version", None)
