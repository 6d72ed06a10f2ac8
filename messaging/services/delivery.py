"""Delivery of broadcasts, a chunk a transaction: the progress commits with what it delivered."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import transaction
from django.db.models import Case, F, OuterRef, Q, Subquery, Value, When
from django.utils import timezone

from messaging.events import broadcast_finished
from messaging.models import (
    Broadcast,
    BroadcastStatus,
    Conversation,
    Mailbox,
    Message,
    MessageKind,
    Participant,
    Preferences,
    StreamEvent,
    StreamKind,
)
from messaging.services.audience import members_of
from messaging.services.broadcasts import DELIVER, is_urgent, send_broadcast
from messaging.services.mailboxes import lock_mailboxes
from messaging.services.team import team_user
from messaging.services.wake import wake
from systemadmin.foundation.batches import Batch, State
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.queue import enqueue
from systemadmin.models import User
from systemadmin.services import notify_user

# One task works this long and queues the next, well below the queue's time-out.
_BUDGET = 60.0
_STALLED = timedelta(minutes=2)
MEMBERS = Batch("messaging.deliver_broadcast")
STARTS = Batch("messaging.start_due_broadcasts")


def deliver_broadcast(broadcast_id: int, *, budget: float = _BUDGET) -> int:
    """Deliver chunk after chunk while the budget lasts, then queue the rest; returns members."""
    end, delivered = time.monotonic() + budget, 0
    while time.monotonic() < end:
        count = deliver_chunk(broadcast_id)
        if count is None:
            return delivered
        delivered += count
    enqueue(DELIVER, broadcast_id)
    return delivered


@transaction.atomic
def deliver_chunk(broadcast_id: int) -> int | None:
    """Deliver to the next members in order of their ids; None when nothing is left to do."""
    broadcast = lock_row(Broadcast.objects.all(), pk=broadcast_id)
    if broadcast.status != BroadcastStatus.SENDING:
        return None
    waiting = members_of(broadcast).filter(pk__gt=broadcast.reached_user_id).order_by("pk")
    members = list(waiting[: setting("messaging.broadcast_chunk")])
    now = timezone.now()
    if not members:
        _finish(broadcast)
        return None
    # A member it cannot be delivered to stays on the list of failed rows; the others have it.
    delivered = MEMBERS.together(
        members,
        lambda some: _deliver(broadcast, list(some)),
        key=lambda member: f"{broadcast.pk}:{member.pk}",
    )
    broadcast.reached_user_id = members[-1].pk
    broadcast.delivered_count += delivered
    broadcast.progress_at = now
    broadcast.save(update_fields=["reached_user_id", "delivered_count", "progress_at"])
    return len(members)


def deliver_failed() -> int:
    """Try members again whom a broadcast could not be delivered to; returns how many have it."""
    return sum(MEMBERS.each(MEMBERS.known(State.DUE), _deliver_again))


def _deliver_again(key: str) -> int:
    broadcast_id, _colon, user_id = key.partition(":")
    broadcast = lock_row(Broadcast.objects.all(), pk=int(broadcast_id))
    member = members_of(broadcast).filter(pk=int(user_id)).first()
    if broadcast.status == BroadcastStatus.CANCELLED or member is None:
        return 0
    _deliver(broadcast, [member])
    Broadcast.objects.filter(pk=broadcast.pk).update(delivered_count=F("delivered_count") + 1)
    return 1


def _finish(broadcast: Broadcast) -> None:
    broadcast.status = BroadcastStatus.SENT
    broadcast.finished_at = timezone.now()
    broadcast.bump()
    broadcast.save()
    broadcast_finished.send(sender=Broadcast, broadcast_id=broadcast.pk)


def _deliver(broadcast: Broadcast, members: list[User]) -> None:
    team = team_user()
    ids = [member.pk for member in members]
    boxes = lock_mailboxes(ids)
    now = timezone.now()
    threads = _team_threads(team.pk, ids)
    text = f"{broadcast.title}\n\n{broadcast.body}"
    messages = Message.objects.bulk_create(
        [
            Message(
                conversation_id=threads[user_id].pk,
                seq=threads[user_id].last_seq + 1,
                sender=team,
                kind=MessageKind.BROADCAST,
                body=text,
                created_at=now,
                broadcast=broadcast,
            )
            for user_id in ids
        ]
    )
    _advance_threads(broadcast, team.pk, [thread.pk for thread in threads.values()])
    Mailbox.objects.filter(pk__in=ids).update(
        position=F("position") + 1, unread_count=F("unread_count") + 1
    )
    StreamEvent.objects.bulk_create(
        StreamEvent(
            user_id=user_id,
            position=boxes[user_id].position + 1,
            kind=StreamKind.MESSAGE,
            message=message,
            peer=team,
            seq=message.seq,
            created_at=now,
        )
        for user_id, message in zip(ids, messages, strict=True)
    )
    wake(ids)
    if is_urgent(broadcast):
        _tell_by_telegram(broadcast, members)


def _team_threads(team_id: int, user_ids: list[int]) -> dict[int, Conversation]:
    """Return the team's thread with each of these members, locked; missing ones are made."""
    threads = _existing_threads(team_id, user_ids)
    missing = [user_id for user_id in user_ids if user_id not in threads]
    if missing:
        now = timezone.now()
        made = Conversation.objects.bulk_create(
            Conversation(lower_id=min(team_id, user_id), higher_id=max(team_id, user_id))
            for user_id in missing
        )
        Participant.objects.bulk_create(
            Participant(conversation=thread, user_id=one, peer_id=other, last_activity_at=now)
            for thread in made
            for one, other in (
                (thread.lower_id, thread.higher_id),
                (thread.higher_id, thread.lower_id),
            )
        )
        threads |= {_member(thread, team_id): thread for thread in made}
    return threads


def _existing_threads(team_id: int, user_ids: list[int]) -> dict[int, Conversation]:
    pairs = Q(lower_id=team_id, higher_id__in=user_ids) | Q(
        higher_id=team_id, lower_id__in=user_ids
    )
    rows = Conversation.objects.select_for_update().filter(pairs).order_by("pk")
    return {_member(thread, team_id): thread for thread in rows}


def _member(thread: Conversation, team_id: int) -> int:
    return thread.higher_id if thread.lower_id == team_id else thread.lower_id


def _advance_threads(broadcast: Broadcast, team_id: int, thread_ids: list[int]) -> None:
    newest = Message.objects.filter(broadcast=broadcast, conversation_id=OuterRef("pk"))
    Conversation.objects.filter(pk__in=thread_ids).update(
        last_seq=F("last_seq") + 1,
        last_message=Subquery(newest.values("pk")),
        last_message_at=Subquery(newest.values("created_at")),
    )
    newest = Message.objects.filter(
        broadcast=broadcast, conversation_id=OuterRef("conversation_id")
    )
    Participant.objects.filter(conversation__in=thread_ids).update(
        last_message=Subquery(newest.values("pk")),
        last_activity_at=Subquery(newest.values("created_at")),
        unread_count=F("unread_count")
        + Case(When(user_id=team_id, then=Value(0)), default=Value(1)),
    )


def _tell_by_telegram(broadcast: Broadcast, members: list[User]) -> None:
    linked = [member for member in members if member.telegram_chat_id]
    declined = set(
        Preferences.objects.filter(user__in=linked, urgent_by_telegram=False).values_list(
            "user_id", flat=True
        )
    )
    for member in linked:
        if member.pk not in declined:
            notify_user(
                user=member,
                kind="messaging.broadcast",
                subject=broadcast.title,
                body=broadcast.body,
                channels=("telegram",),
                key=f"messaging-broadcast-{broadcast.pk}-{member.pk}",
            )


def start_due_broadcasts() -> int:
    """Start what is scheduled for now, and take up again what a dead worker left."""
    now = timezone.now()
    started = 0
    due = Broadcast.objects.filter(status=BroadcastStatus.SCHEDULED, scheduled_at__lte=now)
    started += sum(STARTS.each(STARTS.due(due), _start))
    stalled = Broadcast.objects.filter(
        status=BroadcastStatus.SENDING, progress_at__lt=now - _STALLED
    )
    for pk in stalled.values_list("pk", flat=True):
        # Delivering twice at once is harmless: chunks are taken under the broadcast's lock.
        Broadcast.objects.filter(pk=pk).update(progress_at=now)
        enqueue(DELIVER, pk)
        started += 1
    deliver_failed()
    return started


@transaction.atomic
def _start(pk: int) -> int:
    due = lock_row(Broadcast.objects.all(), pk=pk)
    if due.status != BroadcastStatus.SCHEDULED:  # cancelled, or started by another machine
        return 0
    send_broadcast(actor=None, broadcast=due)
    return 1
