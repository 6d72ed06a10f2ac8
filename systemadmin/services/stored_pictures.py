"""Pictures that were stored before they lost their metadata on the way in."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.core.files.base import ContentFile
from django.db import transaction

from systemadmin.foundation import plugins
from systemadmin.foundation.personal_data import PersonalTable, StoredFile
from systemadmin.foundation.pictures import (
    PICTURE_TYPES,
    UnreadablePicture,
    has_metadata,
    strip_metadata,
)

_CHUNK: Final = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done with one stored picture: `cleaned`, `clean`, `missing` or `unreadable`."""

    table: str
    key: int
    what: str


def clean_stored_pictures() -> Iterator[Outcome]:
    """Write every stored picture anew without metadata; yields what was done with each.

    A picture that holds none is left alone, so a run that was interrupted is simply run again.
    """
    for table in plugins.collect("personal_data", "TABLES"):
        for stored in table.files:
            # Files whose type is not noted are made by us and hold no pictures of people's own.
            if stored.content_type:
                yield from _clean_table(table, stored)


def _clean_table(table: PersonalTable, stored: StoredFile) -> Iterator[Outcome]:
    last = 0
    rows = table.model._base_manager.filter(**{f"{stored.content_type}__in": PICTURE_TYPES})
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        for row in chunk:
            yield Outcome(table.name, row.pk, _clean(row, stored))
        last = chunk[-1].pk


def _clean(row: Any, stored: StoredFile) -> str:
    file, kind = getattr(row, stored.file), getattr(row, stored.content_type)
    try:
        with file.open("rb") as opened:
            content = opened.read()
        if not has_metadata(content, kind):
            return "clean"
        content, kind = strip_metadata(content, kind)
    except (OSError, ValueError):
        return "missing"
    except UnreadablePicture:
        return "unreadable"
    return _replace(row, stored, content, kind)


def _replace(row: Any, stored: StoredFile, content: bytes, kind: str) -> str:
    """Store the new file, then point the row to it, then let the old file go."""
    old = getattr(row, stored.file)
    storage, before = old.storage, old.name
    after = storage.save(before, ContentFile(content))
    changes = {stored.file: after, stored.content_type: kind}
    if stored.size:
        changes[stored.size] = len(content)
    if stored.sha256:
        changes[stored.sha256] = hashlib.sha256(content).hexdigest()
    try:
        rows = type(row)._base_manager.filter(pk=row.pk, **{stored.file: before})
        is_current = bool(rows.update(**changes))
    except BaseException:
        storage.delete(after)
        raise
    transaction.on_commit(lambda: storage.delete(before if is_current else after))
    return "cleaned"
