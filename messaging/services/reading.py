"""Reading and hiding: markers that move back only by request, counters that stay exact."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from messaging.errors import CannotMarkUnread
from messaging.models import Conversation, Mailbox, Message, Participant, StreamKind
from messaging.services.mailboxes import Journal, lock_mailboxes
from messaging.services.team import is_team
from messaging.services.unread import recount_conversations
from systemadmin.foundation.errors import NotFound
from systemadmin.models import User


@dataclass(frozen=True, slots=True)
class ReadState:
    """Where a member's marker stands after reading."""

    last_read_seq: int
    conversation_unread: int
    unread_count: int


def message_of(user: User, message_id: int, *, with_hidden: bool = False) -> Message:
    """Return a message this member may see; raises NotFound for anything else."""
    messages = Message.objects.in_conversation_of(user.pk)
    if not with_hidden:
        messages = messages.visible_to(user.pk)
    message = messages.select_related("conversation", "attachment").filter(pk=message_id).first()
    if message is None:
        raise NotFound
    return message


def other_party(conversation: Conversation, user_id: int) -> int:
    """Return the other member of the conversation."""
    return conversation.higher_id if conversation.lower_id == user_id else conversation.lower_id


def unread_total(user_id: int) -> int:
    """Return all unread messages of a member: one row."""
    row = Mailbox.objects.filter(pk=user_id).values_list("unread_count", flat=True).first()
    return row or 0


@transaction.atomic
def read_up_to(*, actor: User, message: Message) -> ReadState:
    """Mark everything up to and including the message as read; never moves back."""
    peer_id = other_party(message.conversation, actor.pk)
    boxes = lock_mailboxes([actor.pk, peer_id])
    participant = _lock_participant(message, actor)
    if message.seq > participant.last_read_seq:
        _move_marker(participant, message, boxes)
    return ReadState(
        participant.last_read_seq, participant.unread_count, boxes[actor.pk].unread_count
    )


def _move_marker(participant: Participant, message: Message, boxes: dict[int, Mailbox]) -> None:
    unread = (
        Message.objects.filter(conversation_id=participant.conversation_id)
        .unread_after(message.seq, participant.user_id)
        .count()
    )
    was_unread = participant.unread_count
    participant.last_read_seq = message.seq
    participant.unread_count = unread
    participant.save(update_fields=["last_read_seq", "unread_count"])
    journal = Journal(boxes, timezone.now())
    journal.change_unread(participant.user_id, unread - was_unread)
    for user_id, peer_id in (
        (participant.user_id, participant.peer_id),
        (participant.peer_id, participant.user_id),
    ):
        if not (user_id == participant.peer_id and is_team(participant.peer)):
            journal.record(
                user_id,
                StreamKind.READ,
                peer_id=peer_id,
                reader_id=participant.user_id,
                seq=message.seq,
            )
    journal.write()


def _lock_participant(message: Message, user: User) -> Participant:
    return (
        Participant.objects.select_for_update(of=("self",))
        .select_related("peer")
        .get(conversation_id=message.conversation_id, user_id=user.pk)
    )


@transaction.atomic
def mark_unread(*, actor: User, message: Message) -> ReadState:
    """Let a conversation count as unread from this received message on; only its reader sees it.

    The marker moves back, no notice is sent for it, and the other side is not notified. Raises
    `CannotMarkUnread`.
    """
    boxes = lock_mailboxes([actor.pk])
    participant = _lock_participant(message, actor)
    # As it is under the lock: it may have been erased or hidden meanwhile.
    received = Message.objects.filter(pk=message.pk).unread_after(0, actor.pk)
    if not received.exists():
        raise CannotMarkUnread
    if participant.last_read_seq >= message.seq:
        participant.last_read_seq = message.seq - 1
        participant.save(update_fields=["last_read_seq"])
        journal = Journal(boxes, timezone.now())
        recount_conversations([participant.conversation_id], journal)
        journal.record(
            actor.pk,
            StreamKind.READ,
            peer_id=participant.peer_id,
            reader_id=actor.pk,
            seq=participant.last_read_seq,
        )
        journal.write()
        participant.refresh_from_db(fields=["unread_count"])
    return ReadState(
        participant.last_read_seq, participant.unread_count, boxes[actor.pk].unread_count
    )


@transaction.atomic
def hide_message(*, actor: User, message: Message) -> None:
    """Take a message out of this member's own view; the other side keeps it."""
    boxes = lock_mailboxes([actor.pk])
    participant = _lock_participant(message, actor)
    flag = "is_hidden_for_sender" if message.sender_id == actor.pk else "is_hidden_for_recipient"
    changed = Message.objects.filter(pk=message.pk, **{flag: False}).update(**{flag: True})
    if not changed:
        return
    journal = Journal(boxes, timezone.now())
    recount_conversations([participant.conversation_id], journal)
    if participant.last_message_id == message.pk:
        show_newest(participant, _visible(participant))
        participant.save(update_fields=["last_message", "last_activity_at"])
    journal.record(actor.pk, StreamKind.HIDDEN, peer_id=participant.peer_id, message=message)
    journal.write()


def _visible(participant: Participant) -> QuerySet:
    return Message.objects.filter(conversation_id=participant.conversation_id).visible_to(
        participant.user_id
    )


def show_newest(participant: Participant, visible: QuerySet) -> None:
    """Let the conversation list show the newest of these messages; the caller saves."""
    newest = visible.order_by("-seq").values_list("pk", "created_at").first()
    if newest is None:
        participant.last_message_id = None
    else:
        participant.last_message_id, participant.last_activity_at = newest
