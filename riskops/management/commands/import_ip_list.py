"""`manage.py import_ip_list`: addresses of proxies, VPNs, Tor exits, hosting, campuses."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from riskops.ingest.ip_lists import import_ranges
from riskops.models import IpCategory
from systemadmin.foundation.context import context
from systemadmin.foundation.text_files import (
    READING_ERRORS,
    TextTooLarge,
    bounded_lines,
    open_text,
)

LONGEST_LINE = 10_000
MAX_BYTES = 256 << 20


class Command(BaseCommand):
    help = "Imports a list of addresses or CIDR ranges, one a line, from a file or `-`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="path of the list (may end in .gz), or - for stdin")
        parser.add_argument("--category", required=True, choices=IpCategory.values)
        parser.add_argument("--source", help="name of the list; the file's name by default")
        parser.add_argument("--days", type=int, help="entries expire after so many days")
        parser.add_argument(
            "--replace", action="store_true", help="forget entries that are not in the file"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["file"]
        source = options["source"] or ("stdin" if path == "-" else Path(path).name)
        days = options["days"]
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1")
        with context(source="command"):
            try:
                summary = import_ranges(
                    read_lines(path),
                    category=options["category"],
                    source=source[:64],
                    expires_at=timezone.now() + timedelta(days=days) if days else None,
                    replace=options["replace"],
                )
            except (OSError, TextTooLarge, *READING_ERRORS) as fault:
                raise CommandError(f"{path}: {fault}") from fault
        for number, reason in summary.refused[:20]:
            self.stderr.write(f"line {number}: {reason}")
        self.stdout.write(
            f"{summary.read} ranges read: {summary.added} new, {summary.renewed} renewed, "
            f"{summary.removed} removed, {summary.refusals} refused; "
            f"{summary.relabelled} known addresses changed"
        )


def read_lines(path: str) -> Iterator[str]:
    """Yield the lines of a file, gzip or plain, or of standard input."""
    if path == "-":
        yield from bounded_lines(sys.stdin, max_characters=LONGEST_LINE)
        return
    with open_text(Path(path), max_bytes=MAX_BYTES) as file:
        yield from bounded_lines(file, max_characters=LONGEST_LINE)
