"""Learns from verdicts on related accounts what each kind of evidence is worth."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from riskops.links.learning import learn_link_calibration, reset_link_calibration
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError


class Command(BaseCommand):
    help = "Fits the probabilities of related accounts to the verdicts of staff."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reset", action="store_true", help="return to the shipped values")

    def handle(self, *args: Any, **options: Any) -> None:
        with context(source="command"):
            if options["reset"]:
                done = reset_link_calibration()
                self.stdout.write("shipped values in force" if done else "nothing to reset")
                return
            try:
                row = learn_link_calibration()
            except DomainError as refusal:
                raise CommandError(str(refusal)) from refusal
        pairs = ", ".join(f"{name} {number}" for name, number in row.pairs.items())
        self.stdout.write(
            f"learnt from {sum(row.pairs.values())} judged pairs ({pairs}); calibration error on "
            f"those held out {row.error_before:.3f} before, {row.error_after:.3f} now. "
            "Links change with the next detect_related_accounts."
        )
