"""`manage.py replay_events`: a webhook gets again what it missed."""

from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day
from systemadmin.models import WebhookEndpoint
from systemadmin.services.event_replay import MOST, replay_missed


class Command(BaseCommand):
    """Queues the deliveries; workers send them."""

    help = f"Send a webhook the events that it missed, {MOST} at most at a time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("endpoint", type=int, help="Number of the endpoint.")
        parser.add_argument("--after", type=int, help="The number of the last event it has.")
        parser.add_argument("--since", help="A moment or a day (UTC).")
        parser.add_argument(
            "--everything", action="store_true", help="Also what it has taken already."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Queue them and say how many."""
        endpoint = WebhookEndpoint.objects.filter(pk=options["endpoint"]).first()
        if endpoint is None:
            raise CommandError("There is no such endpoint.")
        try:
            since = options["since"] and parse_moment_or_day(options["since"], UTC)
            queued = replay_missed(
                actor=None,
                endpoint=endpoint,
                after=options["after"],
                since=since or None,
                everything=options["everything"],
            )
        except (DomainError, Unreadable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{queued} events are sent again.")
