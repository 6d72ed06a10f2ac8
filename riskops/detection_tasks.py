"""What the queue runs to find links and anomalies: thin, idempotent, safe to kill."""

from __future__ import annotations

from riskops.services.clusters import rebuild_clusters
from riskops.services.links import detect_all, detect_touched


def link_touched() -> int:
    """Looks at the accounts seen with something new, then at the clusters."""
    summary = detect_touched()
    if summary.added or summary.changed or summary.removed or summary.returned:
        rebuild_clusters()
    return summary.pairs


def link_everyone() -> int:
    """Looks at every account anew, nightly: crowds grow and evidence fades."""
    summary = detect_all(wait=True)
    rebuild_clusters()
    return summary.pairs
