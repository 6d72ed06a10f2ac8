"""Whether a change of decision rules lets more pass: then a second person has to agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from riskops.decisions.conditions import RuleCondition

BLOCK = "block"


@dataclass(frozen=True, slots=True)
class RuleSnapshot:
    """What counts of a rule."""

    outcome: str
    priority: int
    in_earnest: bool
    kinds: tuple[str, ...]
    conditions: tuple[RuleCondition, ...]

    @property
    def blocks(self) -> bool:
        return self.in_earnest and self.outcome == BLOCK

    def covers(self, other: RuleSnapshot) -> bool:
        """Return whether it matches at least whatever the other one matches."""
        if self.kinds and not (other.kinds and set(other.kinds) <= set(self.kinds)):
            return False
        return all(
            any(_implies(narrow, broad) for narrow in other.conditions) for broad in self.conditions
        )


def _implies(narrow: RuleCondition, broad: RuleCondition) -> bool:
    """Return whether the first condition never holds without the second."""
    same = (narrow.field, narrow.op, narrow.measure, narrow.window) == (
        broad.field,
        broad.op,
        broad.measure,
        broad.window,
    )
    if not same:
        return False
    if isinstance(narrow.value, int) and isinstance(broad.value, int):
        if narrow.op == "at_least":
            return narrow.value >= broad.value
        if narrow.op == "at_most":
            return narrow.value <= broad.value
    return narrow.value == broad.value


def is_weaker(
    before: RuleSnapshot | None, after: RuleSnapshot | None, blocked_from: Iterable[int]
) -> bool:
    """Return whether a rule changed, made (no before) or deleted (no after) blocks less.

    `blocked_from` are the priorities of the other rules that block.
    """
    if before is not None and before.blocks and not _still_blocks(before, after):
        return True
    return after is not None and _takes_from_blocks(before, after, blocked_from)


def _still_blocks(before: RuleSnapshot, after: RuleSnapshot | None) -> bool:
    """Return whether a rule that blocks goes on to block all that it did, as early as it did."""
    return (
        after is not None
        and after.blocks
        and after.covers(before)
        and after.priority <= before.priority
    )


def _takes_from_blocks(
    before: RuleSnapshot | None, after: RuleSnapshot, blocked_from: Iterable[int]
) -> bool:
    """Return whether a rule that does not block newly answers before one that does.

    It takes what it matches from every blocking rule that is asked after it.
    """
    if not after.in_earnest or after.outcome == BLOCK:
        return False
    if not any(priority >= after.priority for priority in blocked_from):
        return False
    as_before = (
        before is not None
        and before.in_earnest
        and before.outcome == after.outcome
        and before.covers(after)
        and before.priority <= after.priority
    )
    return not as_before
