"""Close the books of a month, or open the last closed one again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import services
from marketplace.models import ClosedMonth
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable, parse_month


class Command(BaseCommand):
    """One month, as in 2026-10."""

    help = "Close the books of a month after checking them; nothing is booked in it afterwards."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", help="As in 2026-10.")
        parser.add_argument("--note", default="", help="Kept with the closed month.")
        parser.add_argument("--reopen", metavar="REASON", help="Open it again, and say why.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = parse_month(options["month"])
            if options["reopen"] is not None:
                closed = ClosedMonth.objects.filter(month=month, reopened_at__isnull=True).first()
                if closed is None:
                    raise CommandError(f"{options['month']} is not closed.")
                services.reopen_month(actor=None, closed=closed, reason=options["reopen"])
                self.stdout.write(f"{closed} is open again.")
                return
            closed = services.close_month(actor=None, month=month, note=options["note"])
        except (Unreadable, DomainError) as error:
            for fault in getattr(error, "extra", {}).get("faults", []):
                self.stderr.write(fault)
            raise CommandError(str(error)) from error
        self.stdout.write(f"{closed} is closed.")
