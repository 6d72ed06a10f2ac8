"""Import a file in batches: the effect of a batch and how far the file got commit together.

For whatever answers a batch of rows with one outcome each, so that a killed import goes on where
it stopped, makes nothing twice and misses nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from django.db import reset_queries, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import RuleViolation, field_error
from systemadmin.foundation.row_files import BrokenRow, RefusedFile, RowReader, fingerprint
from systemadmin.models import FileImport

REFUSED_COLUMNS: Final = ("row", "field", "code", "detail", "content")
# A batch ends here too: rows may be long.
BATCH_CHARACTERS: Final = 4 << 20


class RowOutcome(Protocol):
    """What became of one row."""

    index: int
    status: str
    errors: list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What a file of this kind means: `columns` is field -> column, `apply` does one batch."""

    kind: str
    apply: Callable[[Sequence[Any]], Sequence[RowOutcome]]
    columns: Mapping[str, str] = field(default_factory=dict)
    batch: int = 1000
    reader: Callable[[Path], RowReader] = RowReader

    def row(self, source: Any) -> Any:
        """Return a row of the file under the names of the fields; empty cells say nothing."""
        if not isinstance(source, dict):
            return source
        pairs = self.columns or {name: name for name in source}
        return {
            name: source[column]
            for name, column in pairs.items()
            if source.get(column) not in (None, "")
        }


def import_file(
    path: Path,
    plan: ImportPlan,
    *,
    refused_path: Path,
    restart: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> FileImport:
    """Import a file; what was imported before it was killed is skipped.

    Refused rows go to a CSV file that is cut back first to what was committed.
    """
    state = _state(path, plan, restart=restart)
    progress(state.rows_done)
    if state.finished_at is not None:
        return state
    reader = plan.reader(path)
    refused = RefusedFile(refused_path, state.refused_bytes, REFUSED_COLUMNS)
    for batch in _batches(islice(reader, state.rows_done, None), reader, plan.batch):
        _import_batch(batch, plan, state, refused)
        reset_queries()  # in debug mode Django would keep the text of every statement
        progress(len(batch))
    _finish(state)
    return state


def _state(path: Path, plan: ImportPlan, *, restart: bool) -> FileImport:
    key = fingerprint(path, [plan.kind, dict(plan.columns)])
    if restart:
        FileImport.objects.filter(key=key).delete()
    found, _is_new = FileImport.objects.get_or_create(
        key=key, defaults={"kind": plan.kind, "path": str(path)[-400:]}
    )
    return found


def _batches(
    rows: Iterator[tuple[int, Any]], reader: RowReader, most: int
) -> Iterator[list[tuple[int, Any]]]:
    batch: list[tuple[int, Any]] = []
    began = 0
    for row in rows:
        began = began if batch else reader.characters
        batch.append(row)
        if len(batch) >= most or reader.characters - began >= BATCH_CHARACTERS:
            yield batch
            batch = []
    if batch:
        yield batch


class ImportedElsewhere(RuleViolation):
    """Another process imports the same file now."""

    code = "imported_elsewhere"
    default_detail = _("Another process imports this file now.")


@transaction.atomic
def _import_batch(
    batch: list[tuple[int, Any]], plan: ImportPlan, state: FileImport, refused: RefusedFile
) -> None:
    # Two processes with one file: the second finds that it is further than it thought.
    if lock_row(FileImport.objects.all(), pk=state.pk).rows_done != state.rows_done:
        raise ImportedElsewhere
    outcomes = plan.apply([plan.row(source) for _number, source in batch])
    refused.write(list(_refused_lines(batch, outcomes)))
    for outcome in outcomes:
        setattr(state, outcome.status, getattr(state, outcome.status) + 1)
    state.rows_done += len(batch)
    state.refused_bytes = refused.size
    state.save()


def _refused_lines(
    batch: list[tuple[int, Any]], outcomes: Sequence[RowOutcome]
) -> Iterator[tuple[Any, ...]]:
    for (number, source), outcome in zip(batch, outcomes, strict=True):
        errors, content = outcome.errors, source
        if isinstance(source, BrokenRow):
            errors = [field_error("", source.detail, source.code)]
        else:
            content = json.dumps(source, ensure_ascii=False, default=str)
        for error in errors:
            yield (number, error["field"], error["code"], error["detail"], content)


@transaction.atomic
def _finish(state: FileImport) -> None:
    state.finished_at = timezone.now()
    state.save()
    audit.record(
        "systemadmin.file.imported",
        metadata={
            "kind": state.kind,
            "path": state.path,
            "rows": state.rows_done,
            "created": state.created,
            "updated": state.updated,
            "unchanged": state.unchanged,
            "refused": state.refused,
        },
    )
