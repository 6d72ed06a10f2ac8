"""Write the ledger for another accounting program."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.ledger_export import FORMATS, Selection
from marketplace.services import clock
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day
from systemadmin.foundation.references import key_of, parse_reference
from systemadmin.foundation.snapshots import read_snapshot
from systemadmin.models import User


class Command(BaseCommand):
    """Write beancount, hledger or CSV to a file or to standard output, read in one snapshot."""

    help = "Export the ledger as beancount (checked by bean-check), hledger or CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=sorted(FORMATS), default="beancount")
        parser.add_argument("--output", type=Path, help="File; standard output by default.")
        parser.add_argument("--from", dest="start", help="First day or moment (2026-03-01).")
        parser.add_argument("--to", dest="end", help="First day or moment that is left out.")
        parser.add_argument("--seller", help="Id of the seller, or ext: and the platform's own id.")
        parser.add_argument("--currency", help="Code of the currency, as in EUR.")

    def handle(self, *args: Any, **options: Any) -> None:
        selection = Selection(
            start=_moment("--from", options.get("start")),
            end=_moment("--to", options.get("end")),
            seller=_seller(options.get("seller")),
            currency=options.get("currency"),
            zone=clock.place_zone(),
        )
        with read_snapshot():
            lines = FORMATS[options["format"]](selection)
            if options["output"]:
                with options["output"].open("w", encoding="utf-8", newline="") as out:
                    out.writelines(lines)
            else:
                sys.stdout.writelines(lines)


def _seller(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        key = key_of(parse_reference(text))
    except Unreadable as error:
        raise CommandError(f"--seller: {error}") from error
    if not User.objects.filter(pk=key).exists():
        raise CommandError(f"--seller: there is no account {text}.")
    return key


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment_or_day(text, clock.place_zone())
    except Unreadable as error:
        raise CommandError(f"{name}: {error}") from error
