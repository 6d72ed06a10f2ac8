"""Demo conversations: neighbours who buy and sell, one who bothers them, and the team's news."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from messaging.models import (
    Block,
    Broadcast,
    BroadcastStatus,
    Conversation,
    Mailbox,
    Message,
    MessageReport,
    Participant,
    Preferences,
    StreamEvent,
)
from systemadmin.foundation.plugins import DemoWorld
from systemadmin.models import User

CONVERSATIONS = 120
_ASKS = [
    "Hola, ¿sigue disponible?",
    "¿Haces envíos?",
    "¿Me lo dejarías por un poco menos?",
    "¿Tiene algún golpe o arañazo?",
    "Hi, is this still for sale?",
    "¿Podría recogerlo el sábado?",
]
_ANSWERS = [
    "Sí, claro.",
    "Sí, envío el mismo día.",
    "Lo siento, el precio es fijo.",
    "Está como nuevo, te mando fotos.",
    "Yes, it is.",
    "Perfecto, a las once en la plaza.",
]
_SPAM = "Págame fuera de la plataforma y te hago un descuento enorme, escríbeme por otro lado."


def seed(world: DemoWorld) -> None:
    """Write conversations, a reported nuisance, a block and one broadcast draft."""
    pairs = _pairs(world)
    threads = [Conversation(lower_id=min(a.pk, b.pk), higher_id=max(a.pk, b.pk)) for a, b in pairs]
    threads = Conversation.objects.bulk_create(threads)
    messages: list[Message] = []
    for thread, (a, b) in zip(threads, pairs, strict=True):
        messages += _talk(world, thread, a, b)
    Message.objects.bulk_create(messages)
    _settle(world, threads, messages)
    _nuisance(world, messages, threads)
    if operator := world.staff.get("operator"):
        Broadcast.objects.create(
            title="Mantenimiento el domingo",
            body="El domingo de 4:00 a 5:00 haremos mejoras. Puede haber cortes breves.",
            kind="information",
            status=BroadcastStatus.DRAFT,
            created_by=operator,
        )


def _pairs(world: DemoWorld) -> list[tuple[User, User]]:
    found: dict[tuple[int, int], tuple[User, User]] = {}
    if len(world.members) < 2:
        return []
    for _number in range(CONVERSATIONS):
        a, b = world.rng.sample(world.members, 2)
        found.setdefault((min(a.pk, b.pk), max(a.pk, b.pk)), (a, b))
    return list(found.values())


def _talk(world: DemoWorld, thread: Conversation, a: User, b: User) -> list[Message]:
    rng = world.rng
    moment: datetime = max(a.date_joined, b.date_joined)
    moment += (world.now - moment) * rng.random()
    talk = []
    for seq in range(1, rng.randint(1, 12) + 1):
        sender, lines = ((a, _ASKS), (b, _ANSWERS))[(seq + 1) % 2]
        moment = min(moment + timedelta(minutes=rng.randint(1, 240)), world.now)
        talk.append(
            Message(
                conversation=thread,
                seq=seq,
                sender=sender,
                body=rng.choice(lines),
                created_at=moment,
            )
        )
    return talk


def _settle(world: DemoWorld, threads: list[Conversation], messages: list[Message]) -> None:
    last = {message.conversation_id: message for message in messages}
    participants, unread = [], dict.fromkeys((m.pk for m in world.members), 0)
    for thread in threads:
        newest = last[thread.pk]
        thread.last_seq, thread.last_message = newest.seq, newest
        thread.last_message_at = newest.created_at
        for user_id, peer_id in (
            (thread.lower_id, thread.higher_id),
            (thread.higher_id, thread.lower_id),
        ):
            waits = newest.sender_id == peer_id and world.rng.random() < 0.4
            unread[user_id] = unread.get(user_id, 0) + waits
            participants.append(
                Participant(
                    conversation=thread,
                    user_id=user_id,
                    peer_id=peer_id,
                    last_read_seq=newest.seq - waits,
                    unread_count=int(waits),
                    last_message=newest,
                    last_activity_at=newest.created_at,
                )
            )
    Conversation.objects.bulk_update(threads, ["last_seq", "last_message", "last_message_at"])
    Participant.objects.bulk_create(participants)
    Mailbox.objects.bulk_create(
        Mailbox(user_id=user_id, unread_count=count) for user_id, count in unread.items()
    )


def _nuisance(world: DemoWorld, messages: list[Message], threads: list[Conversation]) -> None:
    """Every twelfth opener turns out to be a nuisance: reported, and sometimes blocked."""
    openers = [message for message in messages if message.seq == 1]
    reports, blocks = [], []
    for message in openers[::12]:
        message.body = _SPAM
        thread = message.conversation
        victim_id = thread.higher_id if message.sender_id == thread.lower_id else thread.lower_id
        reports.append(
            MessageReport(
                message=message,
                conversation=thread,
                reporter_id=victim_id,
                reported_id=message.sender_id,
                reason="fraud",
                excerpt=[
                    {
                        "id": message.pk,
                        "seq": message.seq,
                        "sender": message.sender_id,
                        "body": message.body,
                        "created_at": message.created_at.isoformat(),
                        "edited_at": None,
                        "is_reported": True,
                    }
                ],
            )
        )
        if world.rng.random() < 0.5:
            blocks.append(Block(blocker_id=victim_id, blocked_id=message.sender_id))
    Message.objects.bulk_update(openers[::12], ["body"])
    MessageReport.objects.bulk_create(reports)
    Block.objects.bulk_create(blocks, ignore_conflicts=True)


def purge_queryset_list() -> list[tuple[str, QuerySet[Any]]]:
    """Return all demo rows of this desk, dependants first."""
    pair = Q(lower__is_demo=True) | Q(higher__is_demo=True)
    in_pair = Q(conversation__lower__is_demo=True) | Q(conversation__higher__is_demo=True)
    return [
        (
            "message reports",
            MessageReport.objects.filter(Q(reporter__is_demo=True) | Q(reported__is_demo=True)),
        ),
        (
            "messages",
            Message.objects.filter(in_pair | Q(broadcast__created_by__is_demo=True)),
        ),
        ("conversations", Conversation.objects.filter(pair)),
        ("broadcasts", Broadcast.objects.filter(created_by__is_demo=True)),
        ("blocks", Block.objects.filter(Q(blocker__is_demo=True) | Q(blocked__is_demo=True))),
        ("stream events", StreamEvent.objects.filter(user__is_demo=True)),
        ("messaging preferences", Preferences.objects.filter(user__is_demo=True)),
        ("mailboxes", Mailbox.objects.filter(user__is_demo=True)),
    ]
