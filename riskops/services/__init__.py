"""The writes that other apps may call, and every decision of the risk desk, by name."""

from riskops.anomalies.handling import (
    end_exemption,
    exempt_account,
    reopen_anomaly,
    resolve_anomaly,
)
from riskops.decisions.decide import DecisionResult, decide
from riskops.decisions.decision_request import (
    DecisionRequest,
    ask_about_event,
    request_for_intended_action,
)
from riskops.decisions.feedback import give_decision_feedback
from riskops.decisions.lists import add_list_entry, remove_list_entry
from riskops.decisions.rules import (
    change_decision_rule,
    create_decision_rule,
    delete_decision_rule,
)
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
    "DecisionRequest",
    "DecisionResult",
    "EventInput",
    "IngestResult",
    "Refusal",
    "add_list_entry",
    "ask_about_event",
    "change_decision_rule",
    "confirm_cluster",
    "confirm_related",
    "create_decision_rule",
    "decide",
    "delete_decision_rule",
    "dismiss_cluster",
    "dismiss_related",
    "end_exemption",
    "event_key",
    "exempt_account",
    "give_decision_feedback",
    "override_score",
    "record_events",
    "record_outcome",
    "remove_list_entry",
    "remove_override",
    "reopen_anomaly",
    "reopen_related",
    "request_for_intended_action",
    "resolve_anomaly",
    "share_identifier",
    "suspend_cluster",
    "unshare_identifier",
]
