"""Scores: what counts, points, rulesets, recompute, replay, outcomes."""
