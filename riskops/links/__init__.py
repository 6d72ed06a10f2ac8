"""Related accounts: evidence, pairs, clusters, verdicts."""
