"""Recomputes many scores: what was touched, or everyone in chunks that workers share."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import reset_queries, transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.ingest.rebuild import rebuild_facts, rebuild_identifiers
from riskops.models import RecomputeChunk, RecomputeRun, RiskRuleset
from riskops.models.scores import Cause
from riskops.scores.calculate import Scored, score_accounts
from riskops.scores.due import account_ranges, due_accounts
from riskops.scores.rulesets import current_ruleset
from systemadmin.foundation.batches import Batch, State
from systemadmin.models import User

CHUNK = 25_000
BATCH_SIZE = 5_000
# A chunk takes seconds; whoever holds one this long has died.
LEASE = timedelta(minutes=2)
# A chunk that raises: the others are scored, it is tried again, and it is on the list.
CHUNKS = Batch("riskops.recompute_chunks")
TOUCHED = Batch("riskops.recompute_touched")

Progress = Callable[[Scored], None]


def _quiet(_part: Scored) -> None:
    return None


def recompute_touched(
    *, at: datetime | None = None, cause: str = Cause.EVENT, progress: Progress = _quiet
) -> Scored:
    """Scores the accounts whose facts changed or whose windows moved since they were scored.

    The list of touched accounts is the memory of this: killed at any point, the next run goes on.
    """
    moment = at or timezone.now()
    ruleset = current_ruleset()
    total, last = Scored(), 0

    def score(some: Sequence[int]) -> None:
        accounts = Accounts.listed(list(some))
        part = score_accounts(accounts, at=moment, ruleset=ruleset, cause=cause)
        total.add(part)
        progress(part)

    while ids := due_accounts(moment, BATCH_SIZE, after=last):
        # An account that raises keeps no other from its score.
        TOUCHED.together(ids, score)
        last = ids[-1]
    return total


def recompute_accounts(
    ids: Iterable[int],
    *,
    at: datetime | None = None,
    cause: str = Cause.MANUAL,
    actor: User | None = None,
    rebuild: bool = False,
    progress: Progress = _quiet,
) -> Scored:
    """Scores the given accounts, touched or not."""
    moment, ruleset, total = at or timezone.now(), current_ruleset(), Scored()
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), BATCH_SIZE):
        accounts = Accounts.listed(wanted[start : start + BATCH_SIZE])
        with transaction.atomic():
            if rebuild:
                rebuild_facts(accounts)
            part = score_accounts(accounts, at=moment, ruleset=ruleset, cause=cause, actor=actor)
        total.add(part)
        progress(part)
    return total


@transaction.atomic
def start_run(
    *,
    cause: str,
    at: datetime | None = None,
    actor: User | None = None,
    rebuild: bool = False,
    chunk_size: int = CHUNK,
) -> RecomputeRun:
    """Plans a recompute of every account, cut into chunks that workers claim."""
    run = RecomputeRun.objects.create(
        at=at or timezone.now(),
        cause=cause,
        is_rebuild=rebuild,
        ruleset=current_ruleset(),
        actor=actor,
    )
    RecomputeChunk.objects.bulk_create(
        [RecomputeChunk(run=run, low=low, high=high) for low, high in account_ranges(chunk_size)],
        batch_size=1000,
    )
    return run


def unfinished_run(ruleset: RiskRuleset, *, rebuild: bool = False) -> RecomputeRun | None:
    """Return the latest run with the same rules that was begun and not finished."""
    return (
        RecomputeRun.objects.filter(finished_at__isnull=True, ruleset=ruleset, is_rebuild=rebuild)
        .order_by("-pk")
        .first()
    )


def worker_name() -> str:
    """Return a name for this process that distinguishes it from dead ones."""
    return f"{socket.gethostname()}:{os.getpid()}"[:64]


def claim_chunk(run: RecomputeRun, *, lease: timedelta = LEASE) -> RecomputeChunk | None:
    """Take the next chunk nobody works on; one left by a dead worker is taken again."""
    while True:
        now = timezone.now()
        free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - lease)
        open_chunks = RecomputeChunk.objects.filter(run=run, done_at__isnull=True)
        open_chunks = open_chunks.exclude(pk__in=CHUNKS.held())
        chunk = open_chunks.filter(free).order_by("low").first() or _abandoned(open_chunks)
        if chunk is None:
            return None
        claimed = open_chunks.filter(pk=chunk.pk, claimed_at=chunk.claimed_at).update(
            claimed_at=now, claimed_by=worker_name(), attempts=F("attempts") + 1
        )
        if claimed:
            chunk.refresh_from_db()
            return chunk


def _abandoned(open_chunks: Iterable[RecomputeChunk]) -> RecomputeChunk | None:
    """Return a chunk claimed by a process of this machine that is no more."""
    for chunk in open_chunks:
        host, _, pid = chunk.claimed_by.rpartition(":")
        if host == socket.gethostname()[: len(host) or None] and not _alive(int(pid or 0)):
            return chunk
    return None


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def work_on(
    run: RecomputeRun,
    *,
    lease: timedelta = LEASE,
    deadline: datetime | None = None,
    progress: Progress = _quiet,
) -> bool:
    """Work on chunks until none is free or the deadline passes; return whether the run is done."""
    while deadline is None or timezone.now() < deadline:
        chunk = claim_chunk(run, lease=lease)
        if chunk is None:
            return finish_run(run)
        parts = CHUNKS.each([chunk.pk], partial(_chunk_of, run, chunk))
        for part in parts:
            progress(part)
        if not parts:  # it raised: it is free for its next try
            RecomputeChunk.objects.filter(pk=chunk.pk).update(claimed_at=None)
        reset_queries()  # in debug mode Django would keep the text of every statement
    return False


def _chunk_of(run: RecomputeRun, chunk: RecomputeChunk, _pk: int) -> Scored:
    return work_on_chunk(run, chunk)


@transaction.atomic
def work_on_chunk(run: RecomputeRun, chunk: RecomputeChunk) -> Scored:
    """Scores one chunk and ticks it off in the same transaction: all of it or nothing."""
    accounts = Accounts(chunk.low, chunk.high)
    if run.is_rebuild:
        rebuild_facts(accounts)
    part = score_accounts(
        accounts, at=run.at, ruleset=run.ruleset, cause=run.cause, actor=run.actor
    )
    RecomputeChunk.objects.filter(pk=chunk.pk, done_at__isnull=True).update(
        done_at=timezone.now(),
        scored=part.scored,
        written=part.written,
        by_level=part.by_level,
    )
    return part


def finish_run(run: RecomputeRun) -> bool:
    """Close a run whose chunks are all done or given up; false while others still work."""
    given_up = CHUNKS.known(State.GIVEN_UP)
    if run.chunks.filter(done_at__isnull=True).exclude(pk__in=given_up).exists():
        return False
    with transaction.atomic():
        # Whoever closes it does the last step, once.
        closed = RecomputeRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(
            finished_at=timezone.now()
        )
        if closed and run.is_rebuild:
            rebuild_identifiers()
    return True


def total_of(run: RecomputeRun) -> Scored:
    """Return what a run came to so far."""
    sums = run.chunks.aggregate(scored=Sum("scored"), written=Sum("written"))
    total = Scored(scored=sums["scored"] or 0, written=sums["written"] or 0)
    for by_level in run.chunks.filter(done_at__isnull=False).values_list("by_level", flat=True):
        total.add(Scored(by_level=by_level))
    return total
