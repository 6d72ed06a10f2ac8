"""`manage.py send_test_event`: does an event reach a webhook, and does it verify there?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.published_events import event_kinds
from systemadmin.models import WebhookDelivery, WebhookEndpoint
from systemadmin.services.event_replay import send_test_event
from systemadmin.services.webhooks import OUTBOX, wants


class Command(BaseCommand):
    """Sends in this process and says what every receiver answered."""

    help = "Send the example of an event, marked as a test, to webhooks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("type", choices=sorted(event_kinds()), metavar="type")
        parser.add_argument("--endpoint", type=int, help="Only to this endpoint.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send to each endpoint that wants the kind; exits with an error when one refused."""
        kind, chosen = options["type"], options["endpoint"]
        endpoints = WebhookEndpoint.objects.filter(is_active=True)
        if chosen is not None:
            endpoints = endpoints.filter(pk=chosen)
        wanted = [one for one in endpoints if chosen or wants(one, kind)]
        if not wanted:
            raise CommandError("No active endpoint wants this event.")
        taken = [self._send(endpoint, kind) for endpoint in wanted]
        if not all(taken):
            raise CommandError("Not every endpoint took it.")

    def _send(self, endpoint: WebhookEndpoint, kind: str) -> bool:
        try:
            delivery = send_test_event(actor=None, endpoint=endpoint, kind=kind)
        except DomainError as error:
            raise CommandError(str(error)) from error
        OUTBOX.deliver(delivery.pk)
        delivery.refresh_from_db()
        self.stdout.write(f"{endpoint.url}: {delivery.status} {delivery.last_error}".strip())
        return delivery.status == WebhookDelivery.Status.SENT
