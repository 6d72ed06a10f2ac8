"""Take one mail from standard input, as mail servers hand them to a pipe."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from support.models import Mailbox
from support.services.mail_in import process_mail, store_mail

MAX_BYTES = 50 * 1024 * 1024
# What sysexits.h calls EX_TEMPFAIL: the mail server keeps the mail and tries again.
TRY_AGAIN = 75


class Command(BaseCommand):
    """Store a mail and put it where it belongs; the exit status is for the mail server."""

    help = "Receive one raw mail on standard input (for a .forward or transport pipe)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mailbox", help="The address of the mailbox it came to.")

    def handle(self, *args: Any, **options: Any) -> None:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise CommandError(f"The mail is larger than {MAX_BYTES} bytes.", returncode=65)
        box = Mailbox.objects.filter(address=options["mailbox"], is_active=True).first()
        if box is None:
            raise CommandError(f"There is no mailbox {options['mailbox']}.", returncode=67)
        try:
            message, _new = store_mail(mailbox=box, raw=raw)
        except Exception as error:
            raise CommandError(f"Could not be stored: {error}", returncode=TRY_AGAIN) from error
        # Stored is safe: whatever reading it brings, the mail server has done its part.
        done = process_mail(message.pk)
        self.stdout.write(f"{done.status} {done.pk}")
