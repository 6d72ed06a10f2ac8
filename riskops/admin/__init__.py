"""The risk desk in the admin; one file per aggregate, registered by being imported."""

from riskops.admin import (
    account360,
    anomalies,
    events,
    links,
    moment,
    preview,
    rulesets,
    scores,
)

__all__ = [
    "account360",
    "anomalies",
    "events",
    "links",
    "moment",
    "preview",
    "rulesets",
    "scores",
]
