"""Unread counters made true again when messages stop counting, or count once more."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from messaging.models import Message, Participant
from messaging.services.mailboxes import Journal


def with_true_unread(participants: QuerySet[Participant]) -> QuerySet[Participant]:
    """Annotate each participant with the number of their unread messages, counted now."""
    unread = (
        Message.objects.filter(conversation_id=OuterRef("conversation_id"))
        .unread_after(OuterRef("last_read_seq"), OuterRef("user_id"))
        .order_by()
        .values("conversation_id")
        .annotate(number=Count("pk"))
    )
    return participants.annotate(true=Coalesce(Subquery(unread.values("number")), 0))


def recount_conversations(conversation_ids: Iterable[int], journal: Journal) -> None:
    """Make the counters of these conversations true for the members whose mailbox is locked."""
    rows = Participant.objects.filter(
        conversation__in=list(conversation_ids), user__in=list(journal.boxes)
    )
    changed = list(with_true_unread(rows).exclude(unread_count=F("true")))
    for row in changed:
        journal.change_unread(row.user_id, row.true - row.unread_count)
        row.unread_count = row.true
    Participant.objects.bulk_update(changed, ["unread_count"])
