"""Taking one's own message back, for both sides, within a stated time."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.errors import NotYourMessage, UnsendWindowOver
from messaging.models import Message, MessageKind
from messaging.services.erasing import erase_content, is_under_hold
from messaging.services.mailboxes import Journal, lock_mailboxes
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.models import User


@transaction.atomic
def unsend_message(*, actor: User, message: Message) -> Message:
    """Erase what the member's own message says; taken back once more, it stays as it is.

    Raises `NotYourMessage` and `UnsendWindowOver`. Excerpts of reports keep the wording.
    """
    thread = message.conversation
    boxes = lock_mailboxes([thread.lower_id, thread.higher_id])
    message = lock_row(Message.objects.select_related("conversation"), pk=message.pk)
    now = timezone.now()
    if message.sender_id != actor.pk or message.kind != MessageKind.MEMBER:
        raise NotYourMessage(_("You can only take back your own messages."))
    if message.erased_at is not None:
        return message
    if now - message.created_at > timedelta(minutes=setting("messaging.unsend_minutes")):
        raise UnsendWindowOver
    journal = Journal(boxes, now)
    # The fingerprint stays: else the limit of one text to many would be evaded by taking it back.
    erase_content([message.pk], journal, keeps_fingerprint=True, is_kept=is_under_hold(message))
    journal.write()
    audit.record("messaging.message.unsent", actor=actor, target=message)
    message.refresh_from_db(fields=["body", "erased_at"])
    return message
