"""Fetch every mailbox now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from support.models import Mailbox
from support.services.fetching import fetch
from support.services.mail_in import sweep_inbox


class Command(BaseCommand):
    """Fetch mail by IMAP and put it where it belongs."""

    help = "Fetch new mail of the active mailboxes (or of one) and process it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--mailbox", help="Only the mailbox of this address.")
        parser.add_argument(
            "--no-process", action="store_true", help="Only store; leave reading to the workers."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        boxes = Mailbox.objects.filter(is_active=True).exclude(host="")
        if options["mailbox"]:
            boxes = boxes.filter(address=options["mailbox"])
            if not boxes.exists():
                raise CommandError(f"No active mailbox {options['mailbox']} with a server.")
        failed = False
        for box in boxes:
            new = fetch(box)
            failed |= new < 0
            self.stdout.write(f"{box.address}: {'failed' if new < 0 else f'{new} new'}")
        if not options["no_process"]:
            self.stdout.write(f"{sweep_inbox()} processed")
        if failed:
            raise CommandError("A mailbox could not be fetched; see its last error.")
