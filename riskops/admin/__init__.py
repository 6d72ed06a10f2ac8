"""The risk desk in the admin; one file per aggregate, registered by being imported."""

from riskops.admin import events, rulesets, scores

__all__ = ["events", "rulesets", "scores"]
