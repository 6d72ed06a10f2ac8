"""What a risk analyst decides at the review desk: anomalies, pairs, clusters, flagged accounts."""

from riskops.review_queues.anomalies import ANOMALIES
from riskops.review_queues.links import CLUSTERS, PAIRS
from riskops.review_queues.scores import FLAGGED

__all__ = ["ANOMALIES", "CLUSTERS", "FLAGGED", "PAIRS"]
