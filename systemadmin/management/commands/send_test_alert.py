"""`manage.py send_test_alert`: does an alert reach the people it should?"""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from systemadmin.models import AlertNotice
from systemadmin.services.alert_delivery import OUTBOX, channels, compose_notices
from systemadmin.services.alerts import raise_alert, resolve_alert


class Command(BaseCommand):
    """Sends in this process and says what every channel answered."""

    help = "Send a test alert through every configured channel."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise, tell, report; exits with an error when a channel refused."""
        if not channels():
            raise CommandError(
                "No channel is configured. Set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, "
                "or ALERT_URLS."
            )
        alert = raise_alert(rule="test", key="command", severity="info", summary="Test alert")
        compose_notices(timezone.now() + timedelta(hours=1))
        failed = []
        for notice in AlertNotice.objects.filter(alerts=alert):
            OUTBOX.deliver(notice.pk)
            notice.refresh_from_db()
            self.stdout.write(f"{notice.channel}: {notice.status} {notice.last_error}".strip())
            if notice.status != AlertNotice.Status.SENT:
                failed.append(notice.channel)
        resolve_alert(rule="test", key="command")
        if failed:
            raise CommandError(f"Not delivered: {', '.join(failed)}")
