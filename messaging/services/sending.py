"""Sending: one locked conversation, one new sequence number, both sides' counters in one go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging import content_checks
from messaging.errors import ClientIdReused
from messaging.models import (
    Attachment,
    Block,
    Conversation,
    Mailbox,
    Message,
    MessageKind,
    Participant,
    StreamKind,
)
from messaging.services import rules, statements
from messaging.services.facts import Facts, lock_and_read, read_facts
from messaging.services.mailboxes import Journal, lock_mailboxes
from messaging.services.team import team_user
from messaging.services.trust import tier_of
from messaging.services.wake import CHANNEL, wake, wake_method
from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.files import accept_upload, safe_name
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
    """Return the account a message is addressed to, with its preferences.

    For an id that nobody has it is an unsaved, closed account, which `send_message` refuses as it
    refuses for a stranger who does not want to be written to.
    """
    user = User.objects.select_related("messaging_preferences").filter(pk=user_id).first()
    return user or User(pk=user_id, is_active=False)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be sent, checked as far as that goes without the database."""

    sender: User
    recipient: User
    body: str
    client_id: str | None
    fingerprint: int | None
    file: _File | None

    @property
    def asked(self) -> dict[str, Any]:
        return {
            "sender_id": self.sender.pk,
            "recipient_id": self.recipient.pk,
            "client_id": self.client_id,
            "fingerprint": self.fingerprint,
        }


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
    mark = content_checks.fingerprint(text)
    draft = _Draft(actor, recipient, text, client_id or None, mark, file)
    if recipient._state.adding:
        return _refuse_unknown(draft)
    sent = _send_unlocked(draft) if file is None and has_one_statement() else None
    return sent or _send_locked(draft)


@transaction.atomic
def _refuse_unknown(draft: _Draft) -> Sent:
    """Judge a sending to nobody by all rules, so that its refusals tell nothing of the id."""
    me = draft.sender.pk
    _boxes, facts = lock_and_read(**{**draft.asked, "recipient_id": me})
    has_blocked = Block.objects.filter(blocker_id=me, blocked_id=draft.recipient.pk).exists()
    return _judged(draft, replace(facts, has_blocked=has_blocked))


def _send_unlocked(draft: _Draft) -> Sent | None:
    """Read, judge, and write if nothing has changed since; None when something has.

    Two statements, and no lock is held while Python thinks.
    """
    facts = read_facts(**draft.asked)
    if facts is None:
        return None
    sent = _judged(draft, facts)
    if sent.is_new and not append_at_once(facts=facts, draft=draft, message=sent.message):
        return None
    return sent


@transaction.atomic
def _send_locked(draft: _Draft) -> Sent:
    boxes, facts = lock_and_read(**draft.asked)
    sent = _judged(draft, facts)
    if not sent.is_new:
        return sent
    message = sent.message
    is_known = has_one_statement() and append_at_once(facts=facts, draft=draft, message=message)
    if not is_known:
        append_message(boxes=boxes, recipient=draft.recipient, message=message)
    if draft.file is not None:
        _store_attachment(message, draft.file)
    return sent


def _judged(draft: _Draft, facts: Facts) -> Sent:
    """Return the message to write, or the one that this client id wrote before; or a refusal."""
    # After the reading, so that the order of moments is the order of numbers.
    now = timezone.now()
    if facts.first_id is not None:
        first = _already_sent(facts.first_id, draft.recipient, draft.body, draft.file)
        return Sent(first, is_new=False)
    tier = tier_of(draft.sender, now, facts.level)
    rules.check_parties(draft.sender, draft.recipient, facts)
    rules.check_content(draft.sender, draft.recipient, draft.body, tier)
    rules.check_volume(draft.sender, tier, facts, now)
    rules.check_recipient(draft.sender, draft.recipient, facts)
    message = Message(
        sender=draft.sender,
        body=draft.body,
        client_id=draft.client_id,
        fingerprint=draft.fingerprint,
        created_at=now,
    )
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
    """Return True where the database can write a whole sending in one statement."""
    return connection.vendor == "postgresql"


def append_at_once(*, facts: Facts, draft: _Draft, message: Message) -> bool:
    """Return what `append_message` does, in one statement of PostgreSQL, for a known conversation.

    False, and nothing written, if either mailbox has changed since the facts were read.
    """
    if facts.conversation_id is None:
        return False
    sender_id, recipient_id, now = draft.sender.pk, draft.recipient.pk, message.created_at
    mine, theirs = facts.marks
    values = {
        "mine": mine,
        "theirs": theirs,
        "conversation": facts.conversation_id,
        "sender": sender_id,
        "recipient": recipient_id,
        "body": message.body,
        "client_id": message.client_id,
        "mark": message.fingerprint,
        "now": now,
        "due": facts.notice_due_at or _notice_moment(facts.notified_at, draft.recipient, now),
    }
    is_notified = wake_method() == "postgresql"
    if is_notified:
        values |= {"channel": CHANNEL, "woken": f"{sender_id},{recipient_id}"}
    rows = statements.run(
        statements.APPEND_AND_NOTIFY if is_notified else statements.APPEND, values
    )
    if not rows:
        return False
    message.pk, message.seq = rows[0][:2]
    message.conversation_id = facts.conversation_id
    message._state.adding = False
    if not is_notified:
        wake([sender_id, recipient_id])
    return True


def append_message(*, boxes: dict[int, Mailbox], recipient: User, message: Message) -> None:
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
    journal.record(recipient_id, StreamKind.MESSAGE, peer_id=message.sender_id, message=message)
    journal.record(message.sender_id, StreamKind.MESSAGE, peer_id=recipient_id, message=message)
    journal.change_unread(recipient_id, 1)
    if boxes[recipient_id].notice_due_at is None:
        due = _notice_moment(boxes[recipient_id].notified_at, recipient, message.created_at)
        journal.expect_notice(recipient_id, due)
    journal.write()


def _notice_moment(notified_at: datetime | None, recipient: User, now: datetime) -> datetime:
    """When a member is to hear of what stays unread: after the delay, and not too often."""
    preferences = getattr(recipient, "messaging_preferences", None)
    delay = preferences.notice_delay_minutes if preferences else None
    if delay is None:
        delay = setting("messaging.notice_delay_minutes")
    due = now + timedelta(minutes=delay)
    if notified_at is None:
        return due
    return max(due, notified_at + timedelta(minutes=setting("messaging.notice_gap_minutes")))


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
    upload: File
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
    file, content_type = accept_upload(
        upload,
        max_bytes=setting("messaging.attachment_max_mb") * 1024 * 1024,
        allowed=ATTACHMENT_TYPES,
        field="attachment",
    )
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return _File(file, content_type, digest.hexdigest())


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
    """Return what was sent, even if it has been edited since: a late retry is still a retry."""
    if message.edited_at is None:
        return message.body
    earliest = message.revisions.first()
    return earliest.body if earliest else message.body
