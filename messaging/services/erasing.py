"""Erasing what was written: one message by a moderator, or everything a member wrote."""

from __future__ import annotations

from typing import Any, Final

from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.models import (
    Attachment,
    Block,
    Message,
    MessageReport,
    MessageRevision,
    Preferences,
    ReportStatus,
    StreamEvent,
    StreamKind,
)
from messaging.services import concerned
from messaging.services.mailboxes import Journal, lock_mailboxes
from messaging.services.unread import recount_conversations
from systemadmin import audit
from systemadmin.errors import AccountIsHeld
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.models import User
from systemadmin.querysets.legal_holds import is_held
from systemadmin.services.duties import decides, user_or_other_party
from systemadmin.services.erasure import set_tombstone_of

ERASE_TASK: Final = "messaging.tasks.erase_member"
PART: Final = "messages"
_CHUNK = 1000


@decides(
    "messaging.erase_message",
    permission="messaging.handle_messagereport",
    concerns=concerned.parties_of_message,
)
@transaction.atomic
def erase_message(*, actor: User | None, message: Message, reason: str) -> None:
    """Remove the content of one message for both sides; its place in the order stays.

    It no longer counts as unread, and no notice mentions it. Under a legal hold it is kept, hidden.
    """
    journal = Journal(lock_mailboxes(_parties(message)), timezone.now())
    erase_content([message.pk], journal, is_kept=is_under_hold(message))
    journal.write()
    audit.record("messaging.message.erased", actor=actor, target=message, reason=reason)


@decides(
    "messaging.request_erasure", permission="messaging.erase_messages", concerns=user_or_other_party
)
@transaction.atomic
def request_erasure(*, actor: User | None, user: User, reason: str) -> None:
    """Queue `erase_member`, which may take long and cannot be undone; raises `AccountIsHeld`."""
    _check_not_held(user)
    audit.record("messaging.member.erasure_requested", actor=actor, target=user, reason=reason)
    enqueue(ERASE_TASK, user.pk, actor.pk if actor else None, reason, cluster=LONG_CLUSTER)


@decides(
    "messaging.erase_member", permission="messaging.erase_messages", concerns=user_or_other_party
)
def erase_member(*, actor: User | None, user: User, reason: str) -> int:
    """Erase everything a member wrote here; returns how many messages lost their content.

    In chunks that commit one by one: run again, it goes on where it stopped. Excerpts of reports
    that are still open stay until the team has decided. It cannot be undone: no backup is made
    first, as it would hold what is erased. A restore of an older backup erases again; raises
    `BackupError` where that cannot be noted, and `AccountIsHeld`.
    """
    _check_not_held(user)
    set_tombstone_of(user=user, part=PART)
    erased = erase_everything_of(user)
    audit.record(
        "messaging.member.erased",
        actor=actor,
        target=user,
        reason=reason,
        metadata={"messages": erased},
    )
    return erased


@transaction.atomic
def _check_not_held(user: User) -> None:
    # The row that a hold locks too: it is either there before the erasure, or comes too late.
    lock_row(User.objects.all(), pk=user.pk)
    if is_held(user.pk):
        raise AccountIsHeld(
            _("A legal hold is in force: what this member wrote cannot be erased before it ends.")
        )


def erase_everything_of(user: User) -> int:
    """Erase what a member wrote, without a trace of who asked; return how many messages."""
    erased = 0
    while count := erase_chunk(user):
        erased += count
    with transaction.atomic():
        if is_held(user.pk):
            # What is left says nothing that readers see; retention takes it after the hold.
            return erased
        Block.objects.filter(blocker=user).delete()
        Preferences.objects.filter(user=user).delete()
        StreamEvent.objects.filter(user=user).delete()
        MessageReport.objects.filter(reported=user).exclude(status=ReportStatus.OPEN).update(
            excerpt=[]
        )
        MessageReport.objects.filter(reporter=user).update(note="")
    return erased


@transaction.atomic
def erase_chunk(user: User) -> int:
    """Erase the newest thousand messages that a member wrote; return how many those were."""
    written = Message.objects.filter(sender=user, erased_at__isnull=True)
    chunk = list(written.select_related("conversation").order_by("-created_at")[:_CHUNK])
    if chunk:
        parties = {party for message in chunk for party in _parties(message)}
        journal = Journal(lock_mailboxes(parties), timezone.now())
        # A hold may have come since the erasure began: what it keeps is hidden all the same.
        erase_content([message.pk for message in chunk], journal, is_kept=is_held(user.pk))
        journal.write()
    return len(chunk)


def _parties(message: Message) -> tuple[int, int]:
    return message.conversation.lower_id, message.conversation.higher_id


def erase_content(
    message_ids: list[int],
    journal: Journal,
    *,
    keeps_fingerprint: bool = False,
    is_kept: bool = False,
) -> None:
    """Erase what these messages say, and correct counters and streams of both sides.

    The mailboxes of all parties are locked; the caller writes the journal. What was erased before
    stays as it is. With `is_kept`, under a legal hold, nobody reads it any more, but its wordings
    and its file stay until `erase_released` deletes them.
    """
    waiting = Message.objects.filter(pk__in=message_ids, erased_at__isnull=True)
    messages = list(waiting.select_related("conversation"))
    erased = [message.pk for message in messages]
    if is_kept:
        MessageRevision.objects.bulk_create(
            MessageRevision(message=message, body=message.body, replaced_at=journal.now)
            for message in messages
            if message.body
        )
    else:
        delete_wordings(erased)
    changes: dict[str, Any] = {"body": "", "erased_at": journal.now}
    if not keeps_fingerprint:
        changes["fingerprint"] = None
    Message.objects.filter(pk__in=erased).update(**changes)
    recount_conversations({message.conversation_id for message in messages}, journal)
    for message in messages:
        lower, higher = _parties(message)
        for user_id, peer_id in ((lower, higher), (higher, lower)):
            journal.record(user_id, StreamKind.EDITED, peer_id=peer_id, message=message)


def delete_wordings(message_ids: list[int]) -> None:
    """Delete what messages said, and their files."""
    MessageRevision.objects.filter(message__in=message_ids).delete()
    delete_attachments(message_ids)


def erase_released() -> int:
    """Delete what was kept of erased messages for legal holds that are over; return how many."""
    erased = 0
    while chunk := list(_released().order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        with transaction.atomic():
            delete_wordings(chunk)
        erased += len(chunk)
    return erased


def due_released() -> int:
    """Return how many erased messages still have a wording or a file without a legal hold."""
    return _released().count()


def _released() -> QuerySet[Message]:
    kept = Q(pk__in=MessageRevision.objects.values("message"))
    kept |= Q(pk__in=Attachment.objects.values("message"))
    return Message.objects.filter(kept, erased_at__isnull=False).not_held()


def is_under_hold(message: Message) -> bool:
    """Return whether either party of a message is under a legal hold."""
    return any(is_held(party) for party in _parties(message))


def delete_attachments(message_ids: list[int]) -> None:
    """Delete attachments, and their files once the transaction has committed."""
    attachments = Attachment.objects.filter(message__in=message_ids)
    files = [(row.file.storage, row.file.name or "") for row in attachments]
    attachments.delete()
    transaction.on_commit(lambda: _delete_files(files), robust=True)


def _delete_files(files: list[tuple[Storage, str]]) -> None:
    for storage, name in files:
        storage.delete(name)
