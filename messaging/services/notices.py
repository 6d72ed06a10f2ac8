"""Notices of unread messages: late, batched, and only while something is unread."""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging.models import Mailbox, Participant, Preferences
from messaging.services.preferences import preferences_of
from messaging.services.reading import unread_total
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.display import display_name
from systemadmin.foundation.readable_text import isolated
from systemadmin.models import User
from systemadmin.services import notify_user

_NAMES = 3
KIND: Final = "messaging.unread"
NOTICES = Batch("messaging.send_due_notices")


def send_due_notices(*, limit: int = 500) -> int:
    """Notify every member whose notice is due of unread messages; return how many."""
    now = timezone.now()
    due = Mailbox.objects.filter(notice_due_at__lte=now).order_by("notice_due_at")
    return sum(NOTICES.each(NOTICES.due(due, limit), _notify_one))


@transaction.atomic
def _notify_one(user_id: int) -> int:
    boxes = Mailbox.objects.select_related("user")
    if connection.features.has_select_for_update_skip_locked:
        boxes = boxes.select_for_update(of=("self",), skip_locked=True)
    now = timezone.now()
    box = boxes.filter(pk=user_id, notice_due_at__lte=now).first()
    if box is None:
        return 0
    preferences = preferences_of(box.user)
    channels = _channels(box.user, preferences)
    box.notice_due_at = None
    words = unread_words(box.user) if channels else None
    if words is not None:
        box.notified_at = now
        _tell(box, words, channels)
    box.save(update_fields=["notice_due_at", "notified_at"])
    return int(words is not None)


def _channels(user: User, preferences: Preferences) -> tuple[str, ...]:
    wanted = []
    if preferences.email_notices and user.email:
        wanted.append("email")
    if preferences.telegram_notices and user.telegram_chat_id:
        wanted.append("telegram")
    return tuple(wanted) if user.is_active else ()


def unread_words(user: User) -> tuple[str, str] | None:
    """Return subject and body of a notice of what is unread now; None when nothing is."""
    waiting = Participant.objects.listed_for(user.pk).filter(unread_count__gt=0, is_muted=False)
    names = [isolated(display_name(row.peer)) for row in waiting[: _NAMES + 1]]
    muted = Participant.objects.filter(user=user, is_muted=True).aggregate(n=Sum("unread_count"))
    number = unread_total(user.pk) - (muted["n"] or 0)
    if number <= 0:
        return None
    with translation.override(user.language):
        subject = ngettext(
            "You have %(n)d unread message", "You have %(n)d unread messages", number
        )
        listed = ", ".join(names[:_NAMES]) + ("…" if len(names) > _NAMES else "")
        return subject % {"n": number}, _("From: %(names)s") % {"names": listed}


def _tell(box: Mailbox, words: tuple[str, str], channels: tuple[str, ...]) -> None:
    subject, body = words
    notify_user(
        user=box.user,
        kind=KIND,
        subject=subject,
        body=body,
        channels=channels,
        # The position tells this batch from every other one.
        key=f"messaging-unread-{box.user_id}-{box.position}",
    )
