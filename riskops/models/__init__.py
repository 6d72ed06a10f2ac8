"""The tables of the risk desk."""

from riskops.models.events import AccountEvent, EventKind, IngestCheckpoint
from riskops.models.facts import AccountCountry, AccountFacts, PendingScore
from riskops.models.identifiers import Identifier, IdentifierKind, Sighting
from riskops.models.rulesets import RiskRuleset
from riskops.models.runs import RecomputeChunk, RecomputeRun
from riskops.models.scores import RiskOutcome, RiskOverride, RiskScore, RiskScoreHistory

__all__ = [
    "AccountCountry",
    "AccountEvent",
    "AccountFacts",
    "EventKind",
    "Identifier",
    "IdentifierKind",
    "IngestCheckpoint",
    "PendingScore",
    "RecomputeChunk",
    "RecomputeRun",
    "RiskOutcome",
    "RiskOverride",
    "RiskRuleset",
    "RiskScore",
    "RiskScoreHistory",
    "Sighting",
]
