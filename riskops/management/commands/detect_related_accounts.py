"""`manage.py detect_related_accounts`: who may be behind which account."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all, detect_touched
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError


class Command(BaseCommand):
    help = "Finds related accounts and clusters: of everyone, or of those seen with something new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--touched",
            action="store_true",
            help="only accounts seen with something new since the last run",
        )
        parser.add_argument("--no-clusters", action="store_true", help="leave clusters alone")
        parser.add_argument("--quiet", action="store_true", help="no progress, only the summary")

    def handle(self, *args: Any, **options: Any) -> None:
        progress = None if options["quiet"] else self._progress
        detect = detect_touched if options["touched"] else detect_all
        with context(source="command"):
            try:
                summary = detect(progress=progress)
            except DomainError as refusal:
                raise CommandError(str(refusal)) from refusal
            self.stdout.write(
                f"{summary.accounts} accounts, {summary.pairs} pairs: {summary.added} new, "
                f"{summary.changed} changed, {summary.removed} gone, {summary.returned} returned"
            )
            if not options["no_clusters"]:
                found = rebuild_clusters()
                self.stdout.write(
                    f"{found.clusters} clusters of {found.accounts} accounts, the largest of "
                    f"{found.largest}; {found.refused} merges refused"
                )

    def _progress(self, done: int, total: int) -> None:
        self.stderr.write(f"{done} of {total} accounts")
