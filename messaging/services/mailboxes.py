"""Mailboxes: the lock that comes first, the unread total, the journal of each member's stream."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Count, F, Subquery, Sum, Value

from messaging.models import Mailbox, Message, Participant, StreamEvent, StreamKind
from messaging.services import statements
from messaging.services.wake import wake


def lock_mailboxes(user_ids: Iterable[int]) -> dict[int, Mailbox]:
    """Lock these members' mailboxes, lower id first, making those that do not exist yet."""
    wanted = sorted(set(user_ids))
    boxes = _lock_all_or_none(wanted)
    if len(boxes) < len(wanted):
        Mailbox.objects.bulk_create(
            [Mailbox(user_id=user_id) for user_id in wanted], ignore_conflicts=True
        )
        boxes = _lock_all_or_none(wanted)
    return boxes


def touch_mailboxes(user_ids: Iterable[int]) -> None:
    """Lock these mailboxes and let whoever read them before see that something has changed."""
    boxes = lock_mailboxes(user_ids)
    Mailbox.objects.filter(pk__in=boxes).update(position=F("position"))


def _lock_all_or_none(user_ids: list[int]) -> dict[int, Mailbox]:
    """Nothing is locked while one is missing: whoever makes a row must not hold another yet,
    or two writers could wait for each other.
    """
    if len(user_ids) == 2:
        return _lock_pair(*user_ids)
    rows = Mailbox.objects.filter(pk__in=user_ids)
    present = rows.order_by().values(every=Value(1)).annotate(count=Count("pk")).values("count")
    whole = rows.alias(present=Subquery(present)).filter(present=len(user_ids))
    locked = whole.select_for_update(of=("self",)).order_by("pk")
    return {box.user_id: box for box in locked}


def _lock_pair(lower: int, higher: int) -> dict[int, Mailbox]:
    rows = statements.run(statements.lock_pair_sql(), {"lower": lower, "higher": higher})
    boxes = [Mailbox.from_db(connection.alias, _COLUMNS, [moment(v) for v in row]) for row in rows]
    return {box.user_id: box for box in boxes}


_COLUMNS = ["user_id", "unread_count", "position", "notice_due_at", "notified_at"]


def moment(value: Any) -> Any:
    """Return a moment as plain SQL reads it: SQLite leaves out the zone, which is UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


class Journal:
    """Collects what happened to locked mailboxes and writes it at once."""

    def __init__(self, boxes: dict[int, Mailbox], now: datetime) -> None:
        self.boxes = boxes
        self.now = now
        self.events: list[StreamEvent] = []
        self.fields = {"position"}

    def record(
        self,
        user_id: int,
        kind: StreamKind,
        *,
        peer_id: int,
        message: Message | None = None,
        reader_id: int | None = None,
        seq: int = 0,
    ) -> None:
        """Add one event to a member's stream; members without a locked mailbox have none."""
        box = self.boxes.get(user_id)
        if box is None:
            return
        box.position += 1
        self.events.append(
            StreamEvent(
                user_id=user_id,
                position=box.position,
                kind=kind,
                message_id=message.pk if message else None,
                peer_id=peer_id,
                reader_id=reader_id,
                seq=message.seq if message else seq,
                created_at=self.now,
            )
        )

    def change_unread(self, user_id: int, by: int) -> None:
        """Move a member's unread total; no notice is due when nothing is unread."""
        box = self.boxes[user_id]
        box.unread_count += by
        self.fields.add("unread_count")
        if box.unread_count == 0 and box.notice_due_at is not None:
            self.expect_notice(user_id, None)

    def expect_notice(self, user_id: int, due_at: datetime | None) -> None:
        """Set or clear the moment at which a notice of unread messages is due."""
        self.boxes[user_id].notice_due_at = due_at
        self.fields.add("notice_due_at")

    def write(self) -> None:
        """Write mailboxes and events, and wake the streams."""
        if not self.events and self.fields == {"position"}:
            return
        Mailbox.objects.bulk_update(self.boxes.values(), sorted(self.fields))
        StreamEvent.objects.bulk_create(self.events)
        wake({event.user_id for event in self.events})


def recount(user_id: int) -> int:
    """Return the unread total as the sum of the conversations (repair and tests)."""
    total = Participant.objects.filter(user_id=user_id).aggregate(total=Sum("unread_count"))
    return total["total"] or 0
