"""The reads that other apps may call, by name."""

from riskops.scores.outcomes import is_confirmed_fraud

__all__ = ["is_confirmed_fraud"]
