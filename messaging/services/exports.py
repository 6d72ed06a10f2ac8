"""A member's export of their own conversations, read in small bites."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from messaging.models import Message, Participant
from messaging.services.acquaintances import people
from systemadmin.models import User

_CHUNK = 500


def export_messages(user: User) -> Iterator[dict[str, Any]]:
    """Yield every message the member sent or received and still sees, by conversation."""
    conversations = Participant.objects.filter(user=user).order_by("pk")
    rows = conversations.iterator(chunk_size=_CHUNK)
    while participants := list(islice(rows, _CHUNK)):
        known = people(user.pk, [participant.peer_id for participant in participants])
        for participant in participants:
            yield from _conversation(participant, known[participant.peer_id]["username"])


def _conversation(participant: Participant, peer: str) -> Iterator[dict[str, Any]]:
    seq = 0
    while True:
        page = list(
            Message.objects.filter(conversation_id=participant.conversation_id, seq__gt=seq)
            .visible_to(participant.user_id)
            .select_related("attachment")
            .prefetch_related("revisions")
            .order_by("seq")[:_CHUNK]
        )
        for message in page:
            yield _row(message, participant, peer)
        if len(page) < _CHUNK:
            return
        seq = page[-1].seq


def _row(message: Message, participant: Participant, peer: str) -> dict[str, Any]:
    is_mine = message.sender_id == participant.user_id
    attachment = message.shown_attachment
    return {
        "id": message.pk,
        "with": peer,
        "direction": "sent" if is_mine else "received",
        "kind": message.kind,
        "body": message.body,
        "sent_at": message.created_at.isoformat(),
        "edited_at": message.edited_at.isoformat() if message.edited_at else None,
        "erased_at": message.erased_at.isoformat() if message.erased_at else None,
        "earlier_wordings": [
            {"body": row.body, "replaced_at": row.replaced_at.isoformat()}
            for row in ([] if message.erased_at else message.revisions.all())
        ],
        "attachment": attachment.name if attachment else None,
    }
