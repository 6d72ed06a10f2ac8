"""Free the stock of unpaid orders now."""

from typing import Any

from django.core.management.base import BaseCommand

from marketplace import services


class Command(BaseCommand):
    """What the schedule does every minute."""

    help = "Expire reservations whose time is over and put their stock back on sale."

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        while done := services.expire_reservations():
            total += done
        self.stdout.write(f"{total} reservations expired.")
