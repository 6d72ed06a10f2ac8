"""Sending: one locked conversation, one new sequence number, both sides' counters in one go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging import content_checks
from messaging.errors import ClientIdReused
from messaging.models import (
    Attachment,
    Conversation,
    Mailbox,
    Message,
    MessageKind,
    Participant,
    StreamKind,
)
from messaging.services import rules, statements
from messaging.services.facts import lock_and_read
from messaging.services.mailboxes import Journal, lock_mailboxes
from messaging.services.team import team_user
from messaging.services.trust import tier_of
from messaging.services.wake import CHANNEL, wake, wake_method
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.files import safe_name, validate_upload
from systemadmin.foundation.sockets import setting
from systemadmin.models import User

ATTACHMENT_TYPES = {
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "text/plain",
    "text/csv",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """The message, and whether this call made it."""

    message: Message
    is_new: bool


def recipient_of(user_id: int) -> User:
    """The account a message is addressed to, with its preferences."""
    user = User.objects.select_related("messaging_preferences").filter(pk=user_id).first()
    if user is None:
        raise InvalidInput("recipient", _("There is no such member."), code="recipient_not_found")
    return user


@transaction.atomic
def send_message(
    *,
    actor: User,
    recipient: User,
    body: str,
    client_id: str | None = None,
    attachment: UploadedFile | None = None,
) -> Sent:
    """Send a member's message; the same client id and content again is the first message."""
    text = rules.check_body(body, has_attachment=attachment is not None)
    file = _checked_file(attachment)
    if actor.pk == recipient.pk:
        raise InvalidInput("recipient", _("You cannot write to yourself."), code="yourself")
    fingerprint = content_checks.fingerprint(text)
    boxes, facts = lock_and_read(
        sender_id=actor.pk,
        recipient_id=recipient.pk,
        client_id=client_id,
        fingerprint=fingerprint,
    )
    # After the lock, so that the order of moments is the order of numbers.
    now = timezone.now()
    if facts.first_id is not None:
        return Sent(_already_sent(facts.first_id, recipient, text, file), is_new=False)
    tier = tier_of(actor, now, facts.level)
    rules.check_parties(actor, recipient, facts)
    rules.check_content(actor, recipient, text, tier)
    rules.check_volume(actor, tier, facts, now)
    message = Message(
        sender=actor,
        body=text,
        client_id=client_id or None,
        fingerprint=fingerprint,
        created_at=now,
    )
    append = append_at_once if facts.conversation_id and has_one_statement() else append_message
    append(boxes=boxes, recipient=recipient, message=message, known=facts.conversation_id)
    if file is not None:
        _store_attachment(message, file)
    return Sent(message, is_new=True)


@transaction.atomic
def send_system_message(*, actor: User | None, recipient: User, body: str) -> Message:
    """Write to a member in the team's name."""
    text = rules.check_body(body)
    boxes = lock_mailboxes([recipient.pk])
    message = Message(
        sender=team_user(), kind=MessageKind.SYSTEM, body=text, created_at=timezone.now()
    )
    append_message(boxes=boxes, recipient=recipient, message=message)
    audit.record(
        "messaging.system_message.sent",
        actor=actor,
        target=recipient,
        metadata={"message": message.pk},
    )
    return message


def has_one_statement() -> bool:
    """True where the database can write a whole sending in one statement."""
    return connection.vendor == "postgresql"


def append_at_once(
    *, boxes: dict[int, Mailbox], recipient: User, message: Message, known: int | None = None
) -> None:
    """What `append_message` does, in one statement of PostgreSQL, for a known conversation."""
    box = boxes[recipient.pk]
    values = {
        "conversation": known,
        "sender": message.sender_id,
        "recipient": recipient.pk,
        "body": message.body,
        "client_id": message.client_id,
        "mark": message.fingerprint,
        "now": message.created_at,
        "due": box.notice_due_at or _notice_moment(box, recipient, message.created_at),
    }
    is_notified = wake_method() == "postgresql"
    if is_notified:
        values |= {"channel": CHANNEL, "woken": f"{message.sender_id},{recipient.pk}"}
    sql = statements.APPEND_AND_NOTIFY if is_notified else statements.APPEND
    ((message.pk, message.seq, *_told),) = statements.run(sql, values)
    message.conversation_id = known  # type: ignore[assignment]
    message._state.adding = False
    if not is_notified:
        wake([message.sender_id, recipient.pk])


def append_message(
    *, boxes: dict[int, Mailbox], recipient: User, message: Message, known: int | None = None
) -> None:
    """Store the message at the end of the conversation; the mailboxes are locked already."""
    recipient_id = recipient.pk
    conversation = _lock_conversation(message.sender_id, recipient_id, message.created_at)
    message.conversation = conversation
    message.seq = conversation.last_seq + 1
    message.save(force_insert=True)
    Conversation.objects.filter(pk=conversation.pk).update(
        last_seq=message.seq,
        last_message=message,
        last_message_at=message.created_at,
        updated_at=message.created_at,
    )
    Participant.objects.filter(conversation=conversation).update(
        last_message=message,
        last_activity_at=message.created_at,
        unread_count=F("unread_count")
        + Case(When(user_id=recipient_id, then=Value(1)), default=Value(0)),
    )
    journal = Journal(boxes, message.created_at)
    journal.tell(recipient_id, StreamKind.MESSAGE, peer_id=message.sender_id, message=message)
    journal.tell(message.sender_id, StreamKind.MESSAGE, peer_id=recipient_id, message=message)
    journal.change_unread(recipient_id, 1)
    if boxes[recipient_id].notice_due_at is None:
        due = _notice_moment(boxes[recipient_id], recipient, message.created_at)
        journal.expect_notice(recipient_id, due)
    journal.write()


def _notice_moment(box: Mailbox, recipient: User, now: datetime) -> datetime:
    """When a member is to hear of what stays unread: after the delay, and not too often."""
    preferences = getattr(recipient, "messaging_preferences", None)
    delay = preferences.notice_delay_minutes if preferences else None
    if delay is None:
        delay = setting("messaging.notice_delay_minutes")
    due = now + timedelta(minutes=delay)
    if box.notified_at is None:
        return due
    return max(due, box.notified_at + timedelta(minutes=setting("messaging.notice_gap_minutes")))


def _lock_conversation(sender_id: int, recipient_id: int, now: datetime) -> Conversation:
    pair = Conversation.objects.select_for_update().of_pair(sender_id, recipient_id)
    conversation = pair.first()
    if conversation is not None:
        return conversation
    # Nobody else can be making it: the recipient's mailbox is locked.
    conversation = Conversation.objects.create(
        lower_id=min(sender_id, recipient_id), higher_id=max(sender_id, recipient_id)
    )
    Participant.objects.bulk_create(
        [
            Participant(
                conversation=conversation, user_id=user_id, peer_id=peer_id, last_activity_at=now
            )
            for user_id, peer_id in ((sender_id, recipient_id), (recipient_id, sender_id))
        ]
    )
    return conversation


# -- attachments and repetition ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    upload: UploadedFile
    content_type: str
    sha256: str

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "name": safe_name(self.upload.name or "", content_type=self.content_type),
            "content_type": self.content_type,
            "size": self.upload.size or 0,
            "sha256": self.sha256,
        }


def _checked_file(upload: UploadedFile | None) -> _File | None:
    if upload is None:
        return None
    content_type = validate_upload(
        upload,
        max_bytes=setting("messaging.attachment_max_mb") * 1024 * 1024,
        allowed=ATTACHMENT_TYPES,
        field="attachment",
    )
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)
    return _File(upload, content_type, digest.hexdigest())


def _store_attachment(message: Message, file: _File) -> None:
    attachment = Attachment(message=message, **file.facts)
    attachment.file.save(attachment.name, file.upload, save=False)
    attachment.save(force_insert=True)


def _already_sent(first_id: int, recipient: User, body: str, file: _File | None) -> Message:
    first = Message.objects.select_related("conversation", "attachment").get(pk=first_id)
    if first.erased_at is not None:
        return first
    attachment = getattr(first, "attachment", None)
    same_pair = recipient.pk in (first.conversation.lower_id, first.conversation.higher_id)
    same_file = (attachment.sha256 if attachment else None) == (file.sha256 if file else None)
    if not (same_pair and same_file and _first_wording(first) == body):
        raise ClientIdReused
    return first


def _first_wording(message: Message) -> str:
    """What was sent, even if it has been edited since: a late retry is still a retry."""
    if message.edited_at is None:
        return message.body
    earliest = message.revisions.first()
    return earliest.body if earliest else message.body
