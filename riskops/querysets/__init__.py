"""The reads that other apps may call, by name."""

from riskops.querysets.shown_scores import own_accounts, shown_scores, with_shown_risk
from riskops.scores.outcomes import is_confirmed_fraud

__all__ = ["is_confirmed_fraud", "own_accounts", "shown_scores", "with_shown_risk"]
