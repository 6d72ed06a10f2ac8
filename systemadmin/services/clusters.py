"""Heartbeats of the named clusters of workers, and who is missed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin.foundation.queue import cluster_names, enqueue
from systemadmin.models import Alert, Heartbeat
from systemadmin.services.alerts import raise_alert, resolve_alert

RULE = "queue.cluster_missing"
MISSING_AFTER = timedelta(seconds=60)
NOTIFY = "systemadmin.tasks.tell_and_retry"


@dataclass(frozen=True, slots=True)
class ClusterState:
    """One named cluster: how many sentinels live, and when the last one was seen."""

    name: str
    alive: int
    workers: int
    last_seen_at: datetime | None
    is_missing: bool


def beat(cluster: str, name: str, workers: list[int]) -> None:
    """Renew the heartbeat of one cluster's sentinel by the database's clock."""
    seen = {"last_seen_at": Now(), "workers": workers, "cluster": cluster}
    Heartbeat.objects.update_or_create(
        kind=Heartbeat.Kind.CLUSTER,
        name=name,
        defaults=seen,
        create_defaults={**seen, "started_at": Now()},
    )


def cluster_states() -> list[ClusterState]:
    """Return the state of every cluster that is configured, in two queries."""
    now = timezone.now()
    beats = list(Heartbeat.objects.filter(kind=Heartbeat.Kind.CLUSTER).order_by("last_seen_at"))
    # An installation that was never started misses nobody; one that starts has its time to.
    running = Heartbeat.objects.filter(last_seen_at__gt=now - MISSING_AFTER)
    since = running.aggregate(since=Min("started_at"))["since"]
    return [_state(name, beats, since, now) for name in cluster_names()]


def _state(
    name: str, beats: list[Heartbeat], since: datetime | None, now: datetime
) -> ClusterState:
    own = [beat for beat in beats if beat.cluster == name]
    alive = [beat for beat in own if beat.last_seen_at > now - MISSING_AFTER]
    last = own[-1].last_seen_at if own else None
    reference = max((moment for moment in (last, since) if moment is not None), default=None)
    was_expected = last is not None or since is not None
    return ClusterState(
        name=name,
        alive=len(alive),
        workers=sum(len(beat.workers) for beat in alive),
        last_seen_at=last,
        is_missing=not alive
        and was_expected
        and reference is not None
        and now - reference > MISSING_AFTER,
    )


def missing_clusters() -> list[str]:
    """Return the names of configured clusters that gave no sign of life for a minute."""
    return [state.name for state in cluster_states() if state.is_missing]


def watch() -> list[str]:
    """Raise an alert for each cluster that is missed, and resolve those of the others.

    Called every few seconds by every sentinel and every web process, so that each part tells of
    the others. Returns the missing ones.
    """
    missing = missing_clusters()
    open_alerts = Alert.objects.filter(rule=RULE).exclude(status=Alert.Status.RESOLVED)
    known = dict(open_alerts.values_list("key", "told_status"))
    for name in missing:
        if name not in known:
            _miss(name)
    for name in set(known) - set(missing):
        resolve_alert(rule=RULE, key=name)
    if "" in known.values() and cluster_names()[0] not in missing:
        # Told by the queue at once, not at the next full minute.
        enqueue(NOTIFY)
    return missing


def _miss(name: str) -> None:
    raise_alert(
        rule=RULE,
        key=name,
        severity="critical",
        summary=gettext_noop("The queue cluster %(cluster)s gives no sign of life"),
        detail=gettext_noop("Its tasks wait. Start `manage.py qcluster`.")
        if name == cluster_names()[0]
        else gettext_noop(
            "Its tasks wait. Start `manage.py qcluster` with Q_CLUSTER_NAME=%(cluster)s."
        ),
        facts={"cluster": name},
    )
