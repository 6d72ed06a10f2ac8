"""The risk desk in the admin; one file per aggregate, registered by being imported."""

from riskops.admin import (
    account360,
    anomalies,
    events,
    links,
    preview,
    realtime_decisions,
    rulesets,
    scores,
)

__all__ = [
    "account360",
    "anomalies",
    "events",
    "links",
    "preview",
    "realtime_decisions",
    "rulesets",
    "scores",
]
