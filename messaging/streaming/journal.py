"""Reading members' journals: what happened after a cursor, as events for the wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from messaging import stream_format
from messaging.models import Mailbox, Message, StreamEvent, StreamKind
from systemadmin.models import ApiToken, User, UserSession

# What one answer of the journal holds at most; a client further behind gets several.
BATCH = 200


@dataclass(slots=True)
class News:
    """What a stream is to send next, and the position it has then reached."""

    position: int
    frames: list[bytes] = field(default_factory=list)
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A member's stream and how far it has come; None for a stream that starts now."""

    user_id: int
    after: int | None


def read_news(asked: Sequence[Asked]) -> dict[Asked, News]:
    """Answer many streams in three queries: positions, events, messages."""
    boxes = {box.user_id: box for box in Mailbox.objects.filter(pk__in={a.user_id for a in asked})}
    behind = [a for a in asked if a.after is not None and _is_behind(a, boxes.get(a.user_id))]
    events = _events(behind)
    messages = _messages(event for rows in events.values() for event in rows)
    return {a: _news(a, boxes.get(a.user_id), events.get(a, []), messages) for a in asked}


def _is_behind(asked: Asked, box: Mailbox | None) -> bool:
    return box is not None and asked.after is not None and asked.after < box.position


def _events(behind: list[Asked]) -> dict[Asked, list[StreamEvent]]:
    if not behind:
        return {}
    wanted = Q()
    for a in behind:
        # Positions have no gaps, so a range of them is a bound on the rows.
        wanted |= Q(user_id=a.user_id, position__gt=a.after, position__lte=(a.after or 0) + BATCH)
    by_user: dict[int, list[StreamEvent]] = defaultdict(list)
    for event in StreamEvent.objects.filter(wanted).order_by("user_id", "position"):
        by_user[event.user_id].append(event)
    return {
        a: [event for event in by_user[a.user_id] if event.position > (a.after or 0)]
        for a in behind
    }


def _messages(events: Iterable[StreamEvent]) -> dict[int, Message]:
    ids = {event.message_id for event in events if event.message_id is not None}
    if not ids:
        return {}
    return Message.objects.select_related("attachment").in_bulk(ids)


def _news(
    asked: Asked, box: Mailbox | None, events: list[StreamEvent], messages: dict[int, Message]
) -> News:
    position = box.position if box else 0
    unread = stream_format.event("unread_count", {"unread_count": box.unread_count if box else 0})
    if asked.after is None:
        ready = stream_format.event("ready", {"position": position}, position=position)
        return News(position, [ready, unread])
    if asked.after == position:
        return News(position)
    if asked.after > position or not events or events[0].position != asked.after + 1:
        # Pruned meanwhile, or the database was restored: nothing can be resumed.
        reset = stream_format.event("reset", {"position": position}, position=position)
        return News(position, [reset, unread])
    going = _without_gap(events[:BATCH])
    frames = [_frame(event, messages.get(event.message_id or 0)) for event in going]
    reached = going[-1].position
    return News(reached, [*frames, unread], has_more=reached < position)


def _without_gap(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    """Return the events up to the first missing position."""
    first = events[0].position
    return [event for place, event in enumerate(events) if event.position == first + place]


def _frame(event: StreamEvent, message: Message | None) -> bytes:
    data: dict[str, Any] = {"user": event.peer_id}
    if event.kind == StreamKind.READ:
        data |= {"reader": event.reader_id, "last_read_seq": event.seq}
    elif event.kind == StreamKind.HIDDEN:
        data |= {"id": event.message_id, "seq": event.seq}
    elif message is None or is_hidden_for(message, event.user_id):
        # Nothing to show any more, but the cursor has to move past it.
        return stream_format.event("gone", {**data, "seq": event.seq}, position=event.position)
    else:
        data["message"] = message_data(message, event.user_id)
    return stream_format.event(event.kind, data, position=event.position)


def is_hidden_for(message: Message, user_id: int) -> bool:
    """Return True when the member hid the message for themselves."""
    if message.sender_id == user_id:
        return message.is_hidden_for_sender
    return message.is_hidden_for_recipient


def message_data(message: Message, viewer_id: int) -> dict[str, Any]:
    """Return a message as the API shows it, without running a serializer per open stream."""
    attachment = getattr(message, "attachment", None)
    is_mine = message.sender_id == viewer_id
    return {
        "id": message.pk,
        "seq": message.seq,
        "sender": message.sender_id,
        "is_mine": is_mine,
        "kind": message.kind,
        "body": message.body,
        "client_id": message.client_id if is_mine else None,
        "attachment": {
            "name": attachment.name,
            "content_type": attachment.content_type,
            "size": attachment.size,
            "sha256": attachment.sha256,
        }
        if attachment
        else None,
        "created_at": _moment(message.created_at),
        "edited_at": _moment(message.edited_at),
        "is_erased": message.erased_at is not None,
    }


def _moment(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def positions_of(user_ids: Iterable[int]) -> dict[int, int]:
    """Return how far each member's journal has come (what polling asks)."""
    return dict(Mailbox.objects.filter(pk__in=set(user_ids)).values_list("pk", "position"))


def still_valid(
    user_ids: Iterable[int], token_ids: Iterable[str], session_keys: Iterable[str]
) -> tuple[set[int], set[str]]:
    """Return which of these accounts are still open, and which tokens and sessions are valid."""
    users = User.objects.filter(pk__in=set(user_ids), is_active=True)
    tokens = ApiToken.objects.filter(pk__in=set(token_ids), expiry__gt=timezone.now())
    sessions = UserSession.objects.filter(session_key__in=set(session_keys))
    stand = {*tokens.values_list("pk", flat=True), *sessions.values_list("session_key", flat=True)}
    return set(users.values_list("pk", flat=True)), stand
