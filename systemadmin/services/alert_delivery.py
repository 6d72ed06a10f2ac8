"""Telling the channels: composed in groups into an outbox, sent by the queue.

Composing marks alerts as told in the transaction that writes the notices, so a process
killed anywhere neither loses nor doubles one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import apprise
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import telegram
from systemadmin.errors import NotificationNotFailed
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.deadlines import within
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.masking import mask_text
from systemadmin.foundation.outbox import LEASE, DeliveryFailed, Outbox, doubling
from systemadmin.models import Alert, AlertNotice, AlertSilence
from systemadmin.services.resend import resend

SEND = "systemadmin.tasks.send_alert_notice"
MOST_IN_ONE = 20
COMPOSING = Batch("systemadmin.alert_notices")
APPRISE_SECONDS = 30
GOOD_NEWS_IS_NEW = timedelta(days=1)
MARKS = {"firing": "🔥", "acknowledged": "👀", "resolved": "✅"}


def channels() -> list[str]:
    """Return the configured channels: `telegram`, `apprise:0`, …"""
    found = []
    if settings.TELEGRAM_BOT_TOKEN and settings.TELEGRAM_CHAT_ID:
        found.append("telegram")
    return found + [f"apprise:{index}" for index in range(len(settings.ALERT_URLS))]


def untold_alerts(now: datetime) -> QuerySet[Alert]:
    """Return alerts whose state the channels do not know, or that are due for a repeat."""
    wait = timedelta(seconds=setting("alerts.group_wait_seconds"))
    repeat = timedelta(minutes=setting("alerts.repeat_minutes"))
    # An alert that fires and recovers within the wait is not sent; a success is resolved at once,
    # and is sent all the same.
    fires = ~Q(status=Alert.Status.RESOLVED)
    good_news = Q(severity=Alert.Severity.INFO, created_at__gt=now - GOOD_NEWS_IS_NEW)
    news = Q(told_status="", created_at__lte=now - wait) & (fires | good_news)
    recovered = Q(status=Alert.Status.RESOLVED, told_status__in=["firing", "acknowledged"])
    repeats = Q(status=Alert.Status.FIRING, told_status="firing", told_at__lte=now - repeat)
    return Alert.objects.filter(news | recovered | repeats).order_by("id")


def compose_notices(now: datetime | None = None) -> int:
    """Write the notices that are due to the outbox; return how many alerts they cover."""
    moment = now or timezone.now()
    with named_lock("systemadmin:alert-composer") as held:
        if not held:
            return 0
        with transaction.atomic():
            alerts = _speakable(list(untold_alerts(moment)[:200]), moment)
            groups = [alerts[at : at + MOST_IN_ONE] for at in range(0, len(alerts), MOST_IN_ONE)]
            return sum(
                COMPOSING.together(group, lambda some: _tell(some, moment), key=_key)
                for group in groups
            )


def _key(alert: Alert) -> str:
    return f"{alert.pk}:{alert.status}"


def _tell(alerts: Sequence[Alert], moment: datetime) -> None:
    _write(list(alerts))
    for alert in alerts:
        Alert.objects.filter(pk=alert.pk).update(told_status=alert.status, told_at=moment)


def _speakable(alerts: list[Alert], now: datetime) -> list[Alert]:
    silences = list(AlertSilence.objects.filter(until__gt=now))
    quiet = in_quiet_hours(now)
    return [
        alert
        for alert in alerts
        if not any(_covers(silence, alert) for silence in silences)
        and not (quiet and alert.severity != Alert.Severity.CRITICAL)
    ]


def _covers(silence: AlertSilence, alert: Alert) -> bool:
    return silence.rule in ("", alert.rule) and silence.key in ("", alert.key)


def in_quiet_hours(now: datetime) -> bool:
    """Return whether it is quiet hours (UTC), when only critical alerts are sent."""
    start, end = setting("alerts.quiet_from"), setting("alerts.quiet_until")
    if start == end:
        return False
    if start < end:
        return bool(start <= now.hour < end)
    return bool(now.hour >= start or now.hour < end)


def _write(alerts: list[Alert]) -> None:
    text = "\n\n".join(describe(alert) for alert in alerts)
    for channel in channels():
        notice = AlertNotice.objects.create(channel=channel, text=text)
        notice.alerts.set(alerts)
        OUTBOX.post(notice)


def describe(alert: Alert) -> str:
    """Return the text of one alert, secrets masked."""
    times = f" (x{alert.count})" if alert.count > 1 else ""
    head = f"{MARKS[alert.status]} [{alert.severity}] {alert.headline}{times}"
    is_over = alert.status == Alert.Status.RESOLVED and alert.severity != Alert.Severity.INFO
    detail = "" if is_over else alert.explanation[:500]
    state = _("Recovered.") if is_over else ""
    return mask_text("\n".join(part for part in (head, detail, state) if part))


def _send(notice: AlertNotice) -> None:
    if notice.channel == "telegram":
        telegram.send_message(settings.TELEGRAM_CHAT_ID, notice.text)
        return
    _kind, _colon, index = notice.channel.partition(":")
    urls = settings.ALERT_URLS
    if int(index) >= len(urls):
        raise DeliveryFailed("channel is no longer configured", is_permanent=True)
    sender = apprise.Apprise()
    # Apprise's own log would hold the address, which is the credential: only yes or no.
    if not sender.add(urls[int(index)]):
        raise DeliveryFailed("the channel is not one that Apprise knows", is_permanent=True)
    try:
        # It makes its own connections, each with a time-out per read only.
        taken = within(APPRISE_SECONDS, lambda: sender.notify(body=notice.text, title="Atalaya"))
    except TimeoutError as error:
        raise DeliveryFailed("no answer in time") from error
    if not taken:
        raise DeliveryFailed("the channel refused the message")


OUTBOX = Outbox(
    task=SEND,
    rows=AlertNotice.objects.all,
    send=_send,
    wait=doubling(10, 3600),
    most_attempts=10,
    lease=LEASE,
)


def send_due_notices() -> int:
    """Compose what is new and send what is due again; return how many were tried."""
    compose_notices()
    return len(OUTBOX.deliver_due(100))


def resend_notice(*, actor: Any, notice: AlertNotice) -> None:
    """Put a notice that was given up back into the outbox.

    Raises `NotificationNotFailed` for one that was sent or still waits.
    """
    resend(
        OUTBOX,
        notice,
        actor=actor,
        action="systemadmin.alert_notice.resent",
        refusal=NotificationNotFailed,
    )
