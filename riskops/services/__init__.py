"""The writes that other apps may call, and every decision of the risk desk, by name."""

from riskops.anomalies.handling import end_exemption, exempt_account, resolve_anomaly
from riskops.ingest.record import IngestResult, event_key, record_events
from riskops.ingest.validate import EventInput, Refusal
from riskops.links.clusters import confirm_cluster, dismiss_cluster, suspend_cluster
from riskops.links.verdicts import (
    confirm_related,
    dismiss_related,
    reopen_related,
    share_identifier,
    unshare_identifier,
)
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score, remove_override

__all__ = [
    "EventInput",
    "IngestResult",
    "Refusal",
    "confirm_cluster",
    "confirm_related",
    "dismiss_cluster",
    "dismiss_related",
    "end_exemption",
    "event_key",
    "exempt_account",
    "override_score",
    "record_events",
    "record_outcome",
    "remove_override",
    "reopen_related",
    "resolve_anomaly",
    "share_identifier",
    "suspend_cluster",
    "unshare_identifier",
]
