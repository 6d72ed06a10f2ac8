"""What the rules of sending want to know, read once under the lock of the sender's mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from messaging.quotas import Tier, Window
from messaging.services import statements
from messaging.services.trust import level_code, windows_of


@dataclass(frozen=True, slots=True)
class Facts:
    """Standing between two members, and what the sender has sent within a day."""

    has_blocked: bool
    is_blocked: bool
    level: str
    conversation_id: int | None
    first_id: int | None
    same_text: int
    counts: dict[int, int]

    def is_full(self, window: Window) -> bool:
        """True when a window holds all the messages it may."""
        return self.counts.get(window.seconds, 0) >= window.limit


def read_facts(
    *,
    sender_id: int,
    recipient_id: int,
    client_id: str | None,
    fingerprint: int | None,
    now: datetime,
) -> Facts:
    """One row for all the rules."""
    spans = sorted({window.seconds for tier in Tier for window in windows_of(tier)})
    values = {
        "sender": sender_id,
        "recipient": recipient_id,
        "lower": min(sender_id, recipient_id),
        "higher": max(sender_id, recipient_id),
        "client_id": client_id or None,
        "mark": fingerprint,
        "since": now - timedelta(days=1),
    }
    values |= {f"since{n}": now - timedelta(seconds=span) for n, span in enumerate(spans)}
    ((blocks, blocked, level, conversation, first, same, *counts),) = statements.run(
        statements.facts_sql(len(spans)), values
    )
    return Facts(
        bool(blocks),
        bool(blocked),
        level_code(level),
        conversation,
        first,
        same,
        dict(zip(spans, counts, strict=True)),
    )
