"""`manage.py detect_anomalies`: runs the anomaly rules over the event log."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from riskops.anomalies.detection import detect_history, detect_new, detect_since
from systemadmin.foundation.context import context
from systemadmin.foundation.parsing import Unreadable, parse_duration, parse_moment


def moment(text: str) -> datetime:
    """Return a moment in ISO 8601, or how long ago: 90m, 24h, 7d."""
    try:
        return timezone.now() - parse_duration(text)
    except Unreadable:
        pass
    try:
        return parse_moment(text)
    except Unreadable as error:
        raise ArgumentTypeError(
            f"{text!r} is neither a moment in ISO 8601 nor like 90m, 24h, 7d"
        ) from error


class Command(BaseCommand):
    help = "Runs the anomaly rules: over what is new, a span of time, or the whole log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--since", type=moment, help="from a moment, or 90m, 24h, 7d ago")
        which.add_argument("--all-history", action="store_true", help="the whole log")
        parser.add_argument("--quiet", action="store_true", help="no progress, only the summary")

    def handle(self, *args: Any, **options: Any) -> None:
        progress = None if options["quiet"] else self._progress
        with context(source="command"):
            if options["all_history"]:
                summary = detect_history(progress=progress)
            elif options["since"]:
                summary = detect_since(options["since"], progress=progress)
            else:
                summary = detect_new(progress=progress)
        self.stdout.write(f"{summary.hits} new hits, {summary.opened} anomalies opened")
        for rule, hits in sorted(summary.by_rule.items()):
            self.stdout.write(f"  {rule}: {hits}")

    def _progress(self, done: float, hits: int) -> None:
        self.stderr.write(f"{done:.0%}: {hits} new hits")
