"""Notices to accounts through an outbox: e-mail and Telegram."""

import smtplib
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import override

from systemadmin import telegram
from systemadmin.errors import NotificationNotFailed
from systemadmin.foundation.outbox import LEASE, DeliveryFailed, Outbox, doubling, skip
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.queue import enqueue
from systemadmin.foundation.single_line import single_line
from systemadmin.models import Notification, User
from systemadmin.services.resend import resend

DELIVER = "systemadmin.tasks.deliver_notification"
# Nobody who pauses the queue keeps these from anybody.
DELIVER_SECURITY = "systemadmin.tasks.deliver_security_notice"
SECURITY = "security."


@transaction.atomic
def notify_user(
    *,
    user: User,
    kind: str,
    subject: str,
    body: str,
    key: str,
    channels: Sequence[str] = ("email", "telegram"),
    address: str | None = None,
    reply_to: str = "",
    hold: timedelta = timedelta(0),
) -> list[Notification]:
    """Queue a notice through every channel the account can be reached by.

    The same `key` queues nothing a second time; an `address` is where e-mail goes in place of the
    account's own; `reply_to` is where an answer to it goes. With `hold` it leaves only then, by the
    sweep; `withdraw_notices` stops it until then. Returns the notices queued now.
    """
    to = user.email if address is None else address
    reachable = {"email": bool(to), "telegram": bool(user.telegram_chat_id)}
    queued = []
    for channel in channels:
        if not reachable.get(channel):
            continue
        notice, created = Notification.objects.get_or_create(
            key=key,
            channel=channel,
            defaults={
                "user": user,
                "kind": kind,
                "subject": single_line(subject, 300),
                "body": body,
                "address": address or "",
                "reply_to": reply_to if channel == "email" else "",
                "next_attempt_at": timezone.now() + hold,
            },
        )
        if created:
            if not hold:
                enqueue(DELIVER_SECURITY if kind.startswith(SECURITY) else DELIVER, notice.pk)
            queued.append(notice)
    return queued


def withdraw_notices(*, key: str) -> int:
    """Stop the notices of a key that have not left yet; return how many these were."""
    return skip(Notification.objects.filter(key=key), "what it says was taken back")


def notify_superusers(
    *,
    kind: str,
    subject: object,
    body: object,
    key: str,
    values: Mapping[str, object] | None = None,
    but: User | None = None,
) -> None:
    """Queue a notice to every superuser who can sign in, `but` one, once per `key`.

    Each gets it in their own language: pass lazily translated texts, and in `values` what stands in
    for their places. A text that was formatted before is in the language of whoever acts.
    """
    readers = User.objects.staff().filter(is_superuser=True, is_demo=False)
    for user in readers.exclude(pk=but.pk) if but is not None else readers:
        with override(user.language):
            title, text = (
                str(one) % values if values is not None else str(one) for one in (subject, body)
            )
        notify_user(user=user, kind=kind, key=f"{key}-{user.pk}", subject=title, body=text)


def _send(notice: Notification) -> None:
    if not _is_still_true(notice):
        skip(Notification.objects.filter(pk=notice.pk), "nothing to notify of any more")
    elif notice.channel == Notification.Channel.EMAIL:
        _send_mail(notice)
    elif telegram.is_configured():
        telegram.send_message(notice.user.telegram_chat_id, f"{notice.subject}\n\n{notice.body}")
    else:
        raise DeliveryFailed("Telegram is not configured", is_permanent=True)


def _is_still_true(notice: Notification) -> bool:
    """Write a notice of changing things again; False when nothing is left to say."""
    for kind in collect("notices", "NOTICES"):
        if kind.kind == notice.kind:
            words = kind.words(notice.user)
            if words is None:
                return False
            notice.subject, notice.body = single_line(words[0], 300), words[1]
            if not kind.is_secret:
                notice.save(update_fields=["subject", "body"])
    return True


def _send_mail(notice: Notification) -> None:
    try:
        EmailMessage(
            single_line(notice.subject),
            notice.body,
            settings.DEFAULT_FROM_EMAIL,
            [notice.address or notice.user.email],
            reply_to=[notice.reply_to] if notice.reply_to else None,
        ).send()
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}") from error


OUTBOX = Outbox(
    task=DELIVER,
    rows=lambda: Notification.objects.select_related("user"),
    send=_send,
    wait=doubling(30, 7200),
    most_attempts=8,
    lease=LEASE,
)


def resend_notification(*, actor: User, notification: Notification) -> None:
    """Put a notice that was given up back into the outbox.

    Raises `NotificationNotFailed` for one that was sent or still waits.
    """
    resend(
        OUTBOX,
        notification,
        actor=actor,
        action="systemadmin.notification.resent",
        refusal=NotificationNotFailed,
    )


def hold_back_demo_notices() -> int:
    """Skip notices that seeding wrote for demo accounts: nobody reads them."""
    told = Notification.objects.filter(user__is_demo=True)
    return skip(told, "sent to a demo account by seeding")
