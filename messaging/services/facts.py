"""What the rules of sending want to know, read once under the lock of the sender's mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from messaging.models import Mailbox
from messaging.quotas import Tier, Window
from messaging.services import statements
from messaging.services.mailboxes import lock_mailboxes, mailboxes_of
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


def lock_and_read(
    *, sender_id: int, recipient_id: int, client_id: str | None, fingerprint: int | None
) -> tuple[dict[int, Mailbox], Facts]:
    """Lock both mailboxes, then read one row for all the rules; one round trip if both exist."""
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
    facts = (statements.facts_sql(len(spans)), values)
    lock = (statements.lock_pair_sql(), {"lower": lower, "higher": higher})
    locked, rows = statements.run_together(lock, facts)
    boxes = mailboxes_of(locked)
    if len(boxes) < 2:
        boxes = lock_mailboxes([lower, higher])
        rows = statements.run(*facts)
    return boxes, _facts(rows[0], spans)


def _spans() -> list[int]:
    return sorted({window.seconds for tier in Tier for window in windows_of(tier)})


def _facts(row: tuple[Any, ...], spans: list[int]) -> Facts:
    blocks, blocked, level, conversation, first, same, *counts = row
    return Facts(
        bool(blocks),
        bool(blocked),
        level_code(level),
        conversation,
        first,
        same,
        dict(zip(spans, counts, strict=True)),
    )
