"""Decisions in the moment: allow, review, step up or block, by rules and lists."""
