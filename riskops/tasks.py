"""What the queue runs for the risk desk: thin, idempotent, safe to kill."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from riskops.anomalies.detection import detect_new
from riskops.ingest.ip_lists import label_new_addresses
from riskops.ingest.record import EventInput, record_events
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all, detect_touched
from riskops.models import RecomputeRun
from riskops.models.scores import Cause
from riskops.scores.recompute import (
    recompute_touched,
    start_run,
    unfinished_run,
    work_on,
)
from riskops.scores.rulesets import current_ruleset
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.queue import enqueue

# Below the queue's time-out of a task, so that a long run is many short tasks.
WORK_FOR = timedelta(minutes=3)
WORKERS = 2


def recompute_touched_accounts() -> int:
    """Scores what changed since the last minute; a run still going is left to finish."""
    with named_lock("riskops.recompute_touched") as held:
        return recompute_touched(cause=Cause.EVENT).written if held else 0


def recompute_everyone(cause: str = Cause.SCHEDULE.value) -> int:
    """Start a recompute of all accounts, or go on with the one under way."""
    run = unfinished_run(current_ruleset()) or start_run(cause=cause)
    for _worker in range(WORKERS):
        enqueue(work_on_run, run.pk)
    return run.pk


def work_on_run(run_id: int) -> bool:
    """Work on a run for a while and queue the task again when something is left."""
    run = RecomputeRun.objects.select_related("ruleset", "actor").get(pk=run_id)
    if run.finished_at is not None:
        return True
    if work_on(run, deadline=timezone.now() + WORK_FOR):
        return True
    if run.chunks.filter(done_at__isnull=True, claimed_at__isnull=True).exists():
        enqueue(work_on_run, run_id)
    return False


def resume_runs() -> int:
    """Take up runs whose workers died: chunks held too long are claimed again."""
    run = unfinished_run(current_ruleset())
    if run is None:
        return 0
    work_on_run(run.pk)
    return run.pk


def record_account_event(
    kind: str,
    user_id: int,
    occurred_at: str,
    external_id: str,
    source: str,
    ip: str | None = None,
    device: str | None = None,
    country: str = "",
) -> int:
    """Record one event that the floor below sent."""
    event = EventInput(
        kind=kind,
        account_id=user_id,
        occurred_at=datetime.fromisoformat(occurred_at),
        external_id=external_id,
        ip=ip,
        device=device,
        country=country,
    )
    return record_events([event], source=source).accepted


def link_touched() -> int:
    """Look at the accounts seen with something new, then at the clusters."""
    summary = detect_touched()
    if summary.added or summary.changed or summary.removed or summary.returned:
        rebuild_clusters()
    return summary.pairs


def label_addresses() -> int:
    """Delete listed addresses whose time is over and label those seen since the last time."""
    return label_new_addresses()


def link_everyone() -> int:
    """Look at every account anew, nightly: crowds grow and evidence fades."""
    summary = detect_all(wait=True)
    rebuild_clusters()
    return summary.pairs


def detect_anomalies() -> int:
    """Run the anomaly rules over what came in since the last run."""
    with named_lock("riskops.anomalies") as held:
        return detect_new().hits if held else 0
