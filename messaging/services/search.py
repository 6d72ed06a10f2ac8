"""A member's search over their own messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from messaging.models import Message, Participant
from systemadmin.foundation.search_words import findable_words

# One call reads this many messages at most; the answer says where to go on.
MOST_READ: Final = 5_000
PER_PAGE: Final = 50
_CHUNK: Final = 500
MOST_WORDS: Final = 10


@dataclass(frozen=True)
class Found:
    """Messages, newest first, and before which one to go on; None at the end."""

    messages: list[Message]
    before: int | None


def search_own(*, user_id: int, text: str, before: int | None = None) -> Found:
    """Return the messages that a member sees and that have a word beginning with each word asked.

    The same on every database, whatever case and accents people type. Erased messages say nothing.
    """
    asked = findable_words(text)[:MOST_WORDS]
    found: list[Message] = []
    read, last = 0, before
    while asked and read < MOST_READ:
        rows = _older(user_id, last)
        for row in rows:
            read, last = read + 1, row.pk
            if _has_words(row.body, asked):
                found.append(row)
            if len(found) == PER_PAGE:
                return Found(found, last)
        if len(rows) < _CHUNK:
            return Found(found, None)
    return Found(found, last if asked else None)


def _older(user_id: int, before: int | None) -> list[Message]:
    """Return the next messages of the member's own conversations, without those they hid."""
    own = Participant.objects.filter(user_id=user_id).values("conversation_id")
    rows = Message.objects.filter(conversation_id__in=own).visible_to(user_id)
    rows = rows.filter(erased_at__isnull=True).exclude(body="")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.select_related("attachment", "conversation").order_by("-pk")[:_CHUNK])


def _has_words(body: str, asked: list[str]) -> bool:
    here = findable_words(body)
    return all(any(word.startswith(start) for word in here) for start in asked)
