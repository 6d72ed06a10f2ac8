"""`manage.py deliver_broadcast ID`: deliver a broadcast here, beside or without the queue."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from messaging import services
from systemadmin.foundation.context import context


class Command(BaseCommand):
    """Deliver what is left of a broadcast that has been started."""

    help = "Deliver the rest of a started broadcast; may run several times at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("broadcast", type=int)

    def handle(self, *args: Any, broadcast: int, **options: Any) -> None:
        delivered = 0
        with context(source="command"):
            while (count := services.deliver_chunk(broadcast)) is not None:
                delivered += count
                self.stdout.write(f"{delivered}")
        self.stdout.write(f"{delivered} delivered.")
