"""Loads a file of account events in batches, remembering how far it got."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import reset_queries, transaction
from django.utils import timezone

from riskops.ingest.record import record_rows
from riskops.ingest.row_mapping import RowMap
from riskops.ingest.validate import Refusal
from riskops.models import IngestCheckpoint
from systemadmin import audit
from systemadmin.foundation.row_files import RefusedFile, RowReader, fingerprint, reason_of

STRANGERS = "unknown_account"
REFUSED_COLUMNS = ("row", "field", "code", "detail", "external_id", "content")

Numbered = tuple[int, Any]
# A batch ends here too: rows may be long, and one of JSON takes up to thirty times its length.
BATCH_CHARACTERS = 4 << 20


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a load does with each row."""

    mapping: RowMap
    source: str
    create_accounts: bool = False
    batch: int = 1000
    skip_strangers: bool = False

    def key(self, path: Path) -> str:
        """Return the same file with the same meaning, wherever it lies."""
        mapping = self.mapping
        meaning = [
            dict(mapping.columns),
            dict(mapping.constants),
            mapping.id_prefix,
            mapping.both_ends,
            self.source,
            self.skip_strangers,
        ]
        return fingerprint(path, meaning)


def load_file(
    path: Path,
    options: LoadOptions,
    *,
    refused_path: Path,
    restart: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> IngestCheckpoint:
    """Load a file; what was loaded before it was killed is skipped.

    The checkpoint is written in the transaction of each batch. Refused rows go to a file that is
    cut back to the checkpoint first, so that none is listed twice.
    """
    checkpoint = _checkpoint(path, options, restart=restart)
    progress(checkpoint.rows_done)
    if checkpoint.finished_at is not None:
        return checkpoint
    reader = RowReader(path)
    rows = islice(reader, checkpoint.rows_done, None)
    with _refused_file(refused_path, checkpoint) as refused:
        for batch in _batches(rows, reader, options.batch):
            _load_batch(batch, options, checkpoint, refused)
            reset_queries()  # in debug mode Django would keep the text of every statement
            progress(len(batch))
    _finish(checkpoint)
    return checkpoint


def _batches(rows: Iterable[Numbered], reader: RowReader, most: int) -> Iterator[list[Numbered]]:
    batch: list[Numbered] = []
    began = 0
    for row in rows:
        began = began if batch else reader.characters
        batch.append(row)
        if len(batch) >= most or reader.characters - began >= BATCH_CHARACTERS:
            yield batch
            batch = []
    if batch:
        yield batch


def _checkpoint(path: Path, options: LoadOptions, *, restart: bool) -> IngestCheckpoint:
    key = options.key(path)
    if restart:
        IngestCheckpoint.objects.filter(key=key).delete()
    found, _created = IngestCheckpoint.objects.get_or_create(
        key=key, defaults={"path": str(path)[-400:]}
    )
    return found


def _load_batch(
    batch: list[Numbered],
    options: LoadOptions,
    checkpoint: IngestCheckpoint,
    refused: RefusedFile,
) -> None:
    events: list[Any] = []
    origin: list[Numbered] = []
    for number, source in batch:
        made = options.mapping.rows(number, source) if isinstance(source, dict) else [source]
        events += made
        origin += [(number, source)] * len(made)
    with transaction.atomic():
        result = record_rows(
            events,
            source=options.source,
            create_accounts=options.create_accounts,
            keep_outside=options.skip_strangers,
        )
        lines = list(_refused_lines(result.refused, origin, options))
        if options.skip_strangers:
            known = [line for line in lines if line[2] != STRANGERS]
            checkpoint.strangers += len(lines) - len(known)
            lines = known
        refused.write(lines)
        checkpoint.rows_done += len(batch)
        checkpoint.accepted += result.accepted
        checkpoint.duplicates += len(result.duplicates)
        checkpoint.refused += len(lines)
        checkpoint.refused_bytes = refused.size
        checkpoint.save()


def _refused_lines(
    refusals: list[Refusal], origin: list[Numbered], options: LoadOptions
) -> Iterator[tuple[Any, ...]]:
    """Yield the lines of the refused file.

    With both ends, only a row neither of whose ends belongs to
    an account is refused for that: the other end is a stranger's.
    """
    strangers: dict[int, int] = {}
    for refusal in refusals:
        number, source = origin[refusal.index]
        if options.mapping.both_ends and refusal.code == STRANGERS:
            strangers[number] = strangers.get(number, 0) + 1
            if strangers[number] < 2:
                continue
        code, detail = reason_of(source, refusal.code, refusal.detail)
        content = source if isinstance(source, str) else json.dumps(source, default=str)
        yield (
            number,
            refusal.field,
            code,
            detail,
            refusal.external_id,
            content[:2000].rstrip("\n"),
        )


def _refused_file(path: Path, checkpoint: IngestCheckpoint) -> RefusedFile:
    return RefusedFile(path, checkpoint.refused_bytes, REFUSED_COLUMNS)


@transaction.atomic
def _finish(checkpoint: IngestCheckpoint) -> None:
    checkpoint.finished_at = timezone.now()
    checkpoint.save()
    audit.record(
        "riskops.file.loaded",
        metadata={
            "path": checkpoint.path,
            "rows": checkpoint.rows_done,
            "accepted": checkpoint.accepted,
            "duplicates": checkpoint.duplicates,
            "refused": checkpoint.refused,
            "strangers": checkpoint.strangers,
        },
    )
