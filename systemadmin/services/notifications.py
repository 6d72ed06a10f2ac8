"""Notices to accounts through an outbox."""

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from systemadmin.foundation.queue import enqueue
from systemadmin.models import Notification, User

DELIVER = "systemadmin.tasks.deliver_notification"


@transaction.atomic
def notify_user(
    *,
    user: User,
    kind: str,
    subject: str,
    body: str,
    key: str,
    channels: Sequence[str] = ("email", "telegram"),
) -> list[Notification]:
    """Queue a notice through every channel the account can be reached by.

    The same `key` queues nothing a second time. Returns the notices queued now.
    """
    reachable = {"email": bool(user.email), "telegram": bool(user.telegram_chat_id)}
    queued = []
    for channel in channels:
        if not reachable.get(channel):
            continue
        notice, created = Notification.objects.get_or_create(
            key=key,
            channel=channel,
            defaults={"user": user, "kind": kind, "subject": subject[:300], "body": body},
        )
        if created:
            enqueue(DELIVER, notice.pk)
            queued.append(notice)
    return queued


def send_by_email(notice: Notification) -> None:
    """Send one notice as mail and mark it sent."""
    send_mail(notice.subject, notice.body, settings.DEFAULT_FROM_EMAIL, [notice.user.email])
    Notification.objects.filter(pk=notice.pk).update(
        status=Notification.Status.SENT, sent_at=timezone.now()
    )
