"""What the rules of sending want to know, read in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from messaging.models import Mailbox
from messaging.quotas import Tier, Window
from messaging.services import statements
from messaging.services.mailboxes import lock_mailboxes, moment
from messaging.services.trust import level_code, windows_of


@dataclass(frozen=True, slots=True)
class Facts:
    """Standing between two members, and what the sender has sent within a day."""

    # What tells, on PostgreSQL, whether the two mailboxes are still as they were.
    marks: tuple[Any, Any]
    notice_due_at: datetime | None
    notified_at: datetime | None
    has_blocked: bool
    is_blocked: bool
    level: str
    conversation_id: int | None
    first_id: int | None
    same_text: int
    counts: dict[int, int]

    def is_full(self, window: Window) -> bool:
        """Return True when a window holds all the messages it may."""
        return self.counts.get(window.seconds, 0) >= window.limit


def read_facts(
    *, sender_id: int, recipient_id: int, client_id: str | None, fingerprint: int | None
) -> Facts | None:
    """Read one row for all the rules; None while one of the two has no mailbox."""
    lower, higher = sorted((sender_id, recipient_id))
    now = timezone.now()
    spans = _spans()
    values = {
        "sender": sender_id,
        "recipient": recipient_id,
        "lower": lower,
        "higher": higher,
        "client_id": client_id or None,
        "mark": fingerprint,
        "since": now - timedelta(days=1),
    }
    values |= {f"since{n}": now - timedelta(seconds=span) for n, span in enumerate(spans)}
    rows = statements.run(statements.facts_sql(len(spans)), values)
    return _facts(rows[0], spans) if rows else None


def lock_and_read(
    *, sender_id: int, recipient_id: int, client_id: str | None, fingerprint: int | None
) -> tuple[dict[int, Mailbox], Facts]:
    """Lock both mailboxes, then read."""
    boxes = lock_mailboxes([sender_id, recipient_id])
    facts = read_facts(
        sender_id=sender_id,
        recipient_id=recipient_id,
        client_id=client_id,
        fingerprint=fingerprint,
    )
    if facts is None:
        raise RuntimeError("a mailbox that is locked cannot be missing")
    return boxes, facts


def _spans() -> list[int]:
    return sorted({window.seconds for tier in Tier for window in windows_of(tier)})


def _facts(row: tuple[Any, ...], spans: list[int]) -> Facts:
    mine, theirs, due, notified, blocks, blocked, level, conversation, first, same, *counts = row
    return Facts(
        (mine, theirs),
        moment(due),
        moment(notified),
        bool(blocks),
        bool(blocked),
        level_code(level),
        conversation,
        first,
        same,
        dict(zip(spans, counts, strict=True)),
    )
