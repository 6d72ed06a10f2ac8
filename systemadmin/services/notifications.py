"""Notices to accounts through an outbox: e-mail and Telegram."""

import smtplib
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from systemadmin import telegram
from systemadmin.foundation.masking import mask_text
from systemadmin.foundation.queue import enqueue
from systemadmin.models import Notification, User

DELIVER = "systemadmin.tasks.deliver_notification"
MAX_ATTEMPTS = 8
CLAIM = timedelta(minutes=2)


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


def deliver(notice_id: int) -> None:
    """Send one notice if it is due; on failure say when to try again."""
    now = timezone.now()
    claimed = Notification.objects.filter(
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now),
        pk=notice_id,
        status=Notification.Status.PENDING,
    ).update(attempts=F("attempts") + 1, next_attempt_at=now + CLAIM)
    if not claimed:
        return
    notice = Notification.objects.select_related("user").get(pk=notice_id)
    try:
        _send(notice)
    except telegram.TelegramError as error:
        _postpone(notice, str(error), error.retry_after, error.is_permanent)
    except (smtplib.SMTPException, OSError) as error:
        _postpone(notice, f"{type(error).__name__}: {error}", None, False)
    else:
        _mark(notice, Notification.Status.SENT, sent_at=timezone.now(), last_error="")


def _send(notice: Notification) -> None:
    if notice.channel == Notification.Channel.EMAIL:
        send_mail(
            notice.subject.replace("\n", " "),
            notice.body,
            settings.DEFAULT_FROM_EMAIL,
            [notice.user.email],
        )
    elif telegram.is_configured():
        telegram.send_message(notice.user.telegram_chat_id, f"{notice.subject}\n\n{notice.body}")
    else:
        raise telegram.TelegramError("Telegram is not configured", is_permanent=True)


def _mark(notice: Notification, status: str, **fields: object) -> None:
    Notification.objects.filter(pk=notice.pk).update(status=status, **fields)


def _postpone(
    notice: Notification, reason: str, retry_after: int | None, is_permanent: bool
) -> None:
    gone = is_permanent or notice.attempts >= MAX_ATTEMPTS
    _mark(
        notice,
        Notification.Status.FAILED if gone else Notification.Status.PENDING,
        last_error=mask_text(reason)[:500],
        next_attempt_at=timezone.now()
        + timedelta(seconds=retry_after or min(7200, 15 * 2**notice.attempts)),
    )


def deliver_due() -> int:
    """Try again what is due; return how many were tried."""
    due = Notification.objects.filter(
        status=Notification.Status.PENDING, next_attempt_at__lte=timezone.now()
    ).values_list("pk", flat=True)
    tried = list(due[:200])
    for notice_id in tried:
        deliver(notice_id)
    return len(tried)


def hold_back_demo_notices() -> int:
    """Mark what seeding told demo accounts as sent: that past never was, and nobody reads it."""
    return Notification.objects.filter(
        user__is_demo=True, status=Notification.Status.PENDING
    ).update(status=Notification.Status.SENT, sent_at=timezone.now())
