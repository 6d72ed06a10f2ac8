"""Retention: what is pruned, when, and how much each table holds."""

from systemadmin.services.retention.nightly import prune_nightly, prune_rules
from systemadmin.services.retention.overview import retention_overview

__all__ = ["prune_nightly", "prune_rules", "retention_overview"]
