"""The tables of the risk desk."""

from riskops.models.anomalies import (
    Anomaly,
    AnomalyExemption,
    AnomalyHit,
    AnomalyRule,
    AnomalyStatus,
    AutomaticAction,
    DetectionMark,
    Outcome,
    Severity,
)
from riskops.models.events import AccountEvent, EventKind, IngestCheckpoint
from riskops.models.facts import (
    AccountCountry,
    AccountFacts,
    EventSum,
    PendingScore,
    SumAspect,
)
from riskops.models.identifiers import Identifier, IdentifierKind, Sighting
from riskops.models.links import (
    Account,
    AccountCluster,
    AccountNote,
    ClusterMember,
    Dealing,
    IpCategory,
    IpRange,
    LinkCalibration,
    LinkStatus,
    OutsideDealing,
    PendingLink,
    RelatedAccount,
)
from riskops.models.rulesets import RiskRuleset, RulesetTrial
from riskops.models.runs import RecomputeChunk, RecomputeRun
from riskops.models.scores import RiskOutcome, RiskOverride, RiskScore, RiskScoreHistory

__all__ = [
    "Account",
    "AccountCluster",
    "AccountCountry",
    "AccountEvent",
    "AccountFacts",
    "AccountNote",
    "Anomaly",
    "AnomalyExemption",
    "AnomalyHit",
    "AnomalyRule",
    "AnomalyStatus",
    "AutomaticAction",
    "ClusterMember",
    "Dealing",
    "DetectionMark",
    "EventKind",
    "EventSum",
    "Identifier",
    "IdentifierKind",
    "IngestCheckpoint",
    "IpCategory",
    "IpRange",
    "LinkCalibration",
    "LinkStatus",
    "Outcome",
    "OutsideDealing",
    "PendingLink",
    "PendingScore",
    "RecomputeChunk",
    "RecomputeRun",
    "RelatedAccount",
    "RiskOutcome",
    "RiskOverride",
    "RiskRuleset",
    "RiskScore",
    "RiskScoreHistory",
    "RulesetTrial",
    "Severity",
    "Sighting",
    "SumAspect",
]
