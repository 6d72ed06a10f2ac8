"""Editing one's own message within the window, with what it said before kept."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from messaging import content_checks
from messaging.errors import EditWindowOver, MessageErased, NotYourMessage
from messaging.models import Message, MessageKind, MessageRevision, StreamKind
from messaging.services import rules
from messaging.services.facts import lock_and_read
from messaging.services.mailboxes import Journal
from messaging.services.reading import other_party
from messaging.services.sending import recipient_of
from messaging.services.trust import tier_of
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.models import User


@transaction.atomic
def edit_message(*, actor: User, message: Message, body: str) -> Message:
    """Change the wording of one's own message; both sides can see what it said before."""
    peer_id = other_party(message.conversation, actor.pk)
    text = rules.check_body(body, has_attachment=hasattr(message, "attachment"))
    fingerprint = content_checks.fingerprint(text)
    boxes, facts = lock_and_read(
        sender_id=actor.pk, recipient_id=peer_id, client_id=None, fingerprint=fingerprint
    )
    message = lock_row(Message.objects.select_related("conversation"), pk=message.pk)
    now = timezone.now()
    if message.sender_id != actor.pk or message.kind != MessageKind.MEMBER:
        raise NotYourMessage
    if message.erased_at is not None:
        raise MessageErased
    if now - message.created_at > timedelta(minutes=setting("messaging.edit_minutes")):
        raise EditWindowOver
    if text == message.body:
        return message
    recipient = recipient_of(peer_id)
    rules.check_parties(actor, recipient, facts)
    rules.check_recipient(actor, recipient, facts)
    rules.check_content(actor, recipient, text, tier_of(actor, now, facts.level))
    MessageRevision.objects.create(message=message, body=message.body, replaced_at=now)
    message.body, message.edited_at = text, now
    message.fingerprint = fingerprint
    message.save(update_fields=["body", "edited_at", "fingerprint"])
    journal = Journal(boxes, now)
    journal.record(actor.pk, StreamKind.EDITED, peer_id=peer_id, message=message)
    journal.record(peer_id, StreamKind.EDITED, peer_id=actor.pk, message=message)
    journal.write()
    return message
