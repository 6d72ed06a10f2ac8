"""Deletion of old messages and of old journal entries, by jobs of their own."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from messaging.models import (
    Conversation,
    Message,
    Participant,
    StreamEvent,
)
from messaging.services.erasing import delete_attachments
from messaging.services.mailboxes import Journal, lock_mailboxes
from messaging.services.reading import show_newest
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.configuration import setting
from systemadmin.services import backup_since

_CHUNK = 1000
EXPIRY = Batch("messaging.expire_messages")


def expire_messages(*, max_chunks: int = 1000) -> int:
    """Delete messages beyond the retention time; return how many. Counters stay exact.

    Raises `BackupFailed` when there is no backup of the last day and none can be made: nothing
    is deleted then.
    """
    days = setting("messaging.retention_days")
    if not days:
        return 0
    cutoff = _cutoff(days)
    expired = 0
    for _chunk in range(max_chunks):
        # Ids rise with time, so the oldest are found without an index of their own.
        messages = Message.objects.not_held().exclude(conversation_id__in=EXPIRY.held())
        oldest = messages.order_by("pk").values_list("conversation_id", "created_at")
        conversations = {row[0] for row in oldest[:_CHUNK] if row[1] < cutoff}
        if not conversations:
            break
        if not expired:
            backup_since(timezone.now() - timedelta(days=1), "before messages expire")
        expired += sum(
            EXPIRY.each(sorted(conversations), lambda pk: _expire_conversation(pk, cutoff))
        )
    return expired


def due_messages() -> int:
    """Return how many messages are beyond the retention time."""
    days = setting("messaging.retention_days")
    return Message.objects.not_held().filter(created_at__lt=_cutoff(days)).count() if days else 0


def _cutoff(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


@transaction.atomic
def _expire_conversation(conversation_id: int, cutoff: datetime) -> int:
    pair = Conversation.objects.values_list("lower_id", "higher_id").get(pk=conversation_id)
    boxes = lock_mailboxes(pair)
    conversation = Conversation.objects.select_for_update().get(pk=conversation_id)
    messages = Message.objects.filter(conversation=conversation)
    expired = list(messages.filter(created_at__lt=cutoff).values_list("pk", flat=True)[:_CHUNK])
    delete_attachments(expired)
    messages.filter(pk__in=expired).delete()
    if conversation.last_message_id in expired:
        conversation.last_message_id = None
        conversation.save(update_fields=["last_message"])
    journal = Journal(boxes, timezone.now())
    for participant in Participant.objects.filter(conversation=conversation):
        visible = messages.visible_to(participant.user_id)
        unread = messages.unread_after(participant.last_read_seq, participant.user_id).count()
        journal.change_unread(participant.user_id, unread - participant.unread_count)
        participant.unread_count = unread
        if participant.last_message_id in expired:
            show_newest(participant, visible)
        participant.save(update_fields=["unread_count", "last_message", "last_activity_at"])
    journal.write()
    return len(expired)


def prune_stream() -> int:
    """Delete journal entries that no client may still ask for; returns how many."""
    old = _old_stream_events()
    pruned = 0
    # By time, so that what is left of each journal has no gap in it.
    while oldest := list(old.order_by("created_at").values_list("created_at", flat=True)[:_CHUNK]):
        pruned += StreamEvent.objects.filter(created_at__lte=oldest[-1]).delete()[0]
    return pruned


def due_stream_events() -> int:
    """Return how many journal entries no client may still ask for."""
    return _old_stream_events().count()


def _old_stream_events() -> QuerySet[StreamEvent]:
    return StreamEvent.objects.filter(created_at__lt=_cutoff(setting("messaging.stream_days")))
