"""The nightly run: every rule in turn, each by itself, until its time is over."""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from django.db.models import F
from django.utils import timezone

from systemadmin.foundation.batches import Batch
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.masking import mask_text
from systemadmin.foundation.outbox import LONGEST_ERROR
from systemadmin.foundation.retention import (
    Elsewhere,
    Job,
    Rows,
    Rule,
    Table,
    declared_rules,
)
from systemadmin.models import PruningState
from systemadmin.services.backups import backup_since
from systemadmin.services.blocked_networks import lift_expired
from systemadmin.services.retention.chunks import count_due, due_rows, remove_due
from systemadmin.services.retention.files import delete_files
from systemadmin.services.retention.samples import sample_tables

logger = logging.getLogger("atalaya.retention")
PRUNING = Batch("systemadmin.prune", is_atomic=False)
# The long cluster ends a task after two hours.
NIGHT_SECONDS: Final = 5400
MOST_COUNTED: Final = 1_000_000

Progress = Callable[[str, int], None]


def prune_nightly() -> dict[str, int]:
    """Prune every table, then measure them; returns how many rows went by rule.

    A rule that raises stops no other: its error is on the list of failed rows and on the page.
    """
    deadline = time.monotonic() + NIGHT_SECONDS
    done = PRUNING.parts(lift_expired_blocks=lift_expired)
    done |= prune_rules(_by_need(), max_seconds=deadline - time.monotonic())
    return done | PRUNING.parts(pruned_files=delete_files, table_sizes=sample_tables)


def _by_need() -> list[str]:
    """Rules that did not finish last time come first, so that none is always the last."""
    states = dict(PruningState.objects.values_list("rule", "is_complete"))
    return sorted(prunable_rules(), key=lambda name: states.get(name, True))


def prunable_rules() -> list[str]:
    """Return the names of the rules that the nightly run applies, in the order of the apps."""
    return [
        name for name, (_t, rule) in declared_rules().items() if not isinstance(rule, Elsewhere)
    ]


def prune_rules(
    names: Iterable[str], *, max_seconds: float = NIGHT_SECONDS, progress: Progress | None = None
) -> dict[str, int]:
    """Apply rules one after another; returns how many rows each removed. Errors go on the list.

    Where another process prunes already, nothing happens.
    """
    deadline = time.monotonic() + max_seconds
    with named_lock("systemadmin:retention") as held:
        if not held:
            logger.info("another process prunes already")
            return {}
        work = {name: _work(name, deadline, progress) for name in names}
        return PRUNING.parts(**work)


def _work(name: str, deadline: float, progress: Progress | None) -> Callable[[], int]:
    table, rule = declared_rules()[name]

    def work() -> int:
        started = timezone.now()
        try:
            removed, is_complete = _apply(table, rule, deadline, progress)
        except Exception as error:
            text = mask_text(f"{type(error).__name__}: {error}")[:LONGEST_ERROR]
            _note(rule, error=text.replace("\x00", ""), started_at=started, is_complete=False)
            raise
        _note(
            rule,
            started_at=started,
            finished_at=timezone.now(),
            removed=removed,
            is_complete=is_complete,
            error="",
        )
        return removed

    return work


def _apply(
    table: Table, rule: Rule, deadline: float, progress: Progress | None
) -> tuple[int, bool]:
    """Return how many rows went, and whether the rule came to its end."""
    cutoff = rule.span.cutoff(timezone.now())
    if cutoff is None or isinstance(rule, Elsewhere):
        return 0, True
    if isinstance(rule, Job):
        removed = rule.run(max(deadline - time.monotonic(), 1.0)) or 0
        if progress and removed:
            progress(rule.name, removed)
        return removed, time.monotonic() < deadline
    if rule.needs_backup and due_rows(table, rule, cutoff).exists():
        backup_since(timezone.now() - timedelta(days=1), f"before {rule.name} is pruned")

    def on_chunk(gone: int) -> bool:
        if progress:
            progress(rule.name, gone)
        return time.monotonic() < deadline

    removed = remove_due(table, rule, cutoff, on_chunk=on_chunk)
    return removed, time.monotonic() < deadline


def _note(rule: Rule, *, removed: int = 0, **values: object) -> None:
    PruningState.objects.get_or_create(rule=rule.name)
    PruningState.objects.filter(rule=rule.name).update(
        removed=removed, removed_total=F("removed_total") + removed, **values
    )


def due_of(name: str) -> int:
    """Return how many rows a rule would remove now; counted up to a million."""
    table, rule = declared_rules()[name]
    cutoff = rule.span.cutoff(timezone.now())
    if cutoff is None or isinstance(rule, Elsewhere):
        return 0
    if isinstance(rule, Rows):
        return count_due(table, rule, cutoff, most=MOST_COUNTED)
    return rule.due()
