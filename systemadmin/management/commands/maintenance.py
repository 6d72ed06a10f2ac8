"""`manage.py maintenance on|off|status`."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from systemadmin.foundation import maintenance
from systemadmin.foundation.hard_maintenance import disable_hard, enable_hard, hard_state
from systemadmin.services.maintenance import (
    NoMaintenance,
    disable_maintenance,
    enable_maintenance,
)

OWNER = "command"


class Command(BaseCommand):
    """Close, open, look; hard mode works without a database."""

    help = "Switch maintenance on or off, or show it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("what", choices=["on", "off", "status"])
        parser.add_argument("--mode", choices=["read_only", "full", "hard"], default="full")
        parser.add_argument("--message", default="", help="Message in English.")
        parser.add_argument("--message-es", default="", help="Message in Spanish.")
        parser.add_argument("--minutes", type=int, help="End after so many minutes.")
        parser.add_argument("--pause-queue", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and say what stands now."""
        if options["what"] == "on":
            self._on(options)
        elif options["what"] == "off":
            self._off()
        self._status()

    def _on(self, options: dict[str, Any]) -> None:
        minutes = options["minutes"]
        if minutes is not None and minutes < 1:
            raise CommandError("--minutes must be at least 1.")
        if options["mode"] == "hard":
            if not enable_hard(OWNER, (minutes or 60) * 60, options["message"]):
                raise CommandError("Somebody else holds hard maintenance.")
            return
        enable_maintenance(
            actor=None,
            mode=options["mode"],
            message=options["message"],
            message_es=options["message_es"],
            until=timezone.now() + timedelta(minutes=minutes) if minutes else None,
            pause_queue=options["pause_queue"],
            owner=OWNER,
        )

    def _off(self) -> None:
        was_hard = disable_hard(OWNER)
        try:
            disable_maintenance(actor=None)
        except NoMaintenance as error:
            if not was_hard:
                raise CommandError(str(error)) from error

    def _status(self) -> None:
        hard, window = hard_state(), maintenance.window_in_force()
        if hard is not None:
            self.stdout.write(f"on: hard, closed by {hard.owner}")
        elif window is not None:
            self.stdout.write(f"on: {window.mode} until {window.until.isoformat()}")
        else:
            self.stdout.write("off")
        for waiting in maintenance.windows():
            if window is None or waiting.id != window.id:
                self.stdout.write(f"scheduled: {waiting.mode} from {waiting.starts_at}")
