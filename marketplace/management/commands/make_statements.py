"""Make the statements and invoices of a closed month."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import services
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable, parse_month


class Command(BaseCommand):
    """Run it again to make what is missing."""

    help = "Make the statements and commission invoices of all sellers for a closed month."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", help="As in 2026-10.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = services.make_statements(actor=None, month=parse_month(options["month"]))
        except (Unreadable, DomainError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made['statements']} statements, {made['invoices']} invoices.")
