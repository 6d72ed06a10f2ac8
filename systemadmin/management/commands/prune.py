"""`manage.py prune`: apply the retention rules now."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from systemadmin.foundation.retention import declared_rules, is_due_now
from systemadmin.models import PruningState
from systemadmin.services.retention.nightly import due_of, prunable_rules, prune_rules

HOUR = 3600


class Command(BaseCommand):
    """Without `--table` or `--all` nothing is removed. Killed, it goes on at the next call.

    Exit code 0: every rule came to its end; 1: a rule raised or its time was over; 2: wrong
    option.
    """

    help = "Remove what is past its retention, from one table or all."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--table",
            action="append",
            default=[],
            metavar="NAME",
            help="A table of the database or a rule (see docs/privacy.md); may be repeated.",
        )
        parser.add_argument("--all", action="store_true", help="Every table.")
        parser.add_argument("--dry-run", action="store_true", help="Only count what would go.")
        parser.add_argument(
            "--hours", type=float, default=24.0, help="Stop after so many hours (default: 24)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Count or remove."""
        names = self._names(options)
        if options["dry_run"]:
            self._count(names)
            return
        bar = tqdm(unit=" rows", disable=None, file=self.stderr._out)

        def progress(rule: str, rows: int) -> None:
            bar.set_description(rule)
            bar.update(rows)

        done = prune_rules(names, max_seconds=options["hours"] * HOUR, progress=progress)
        bar.close()
        for name in sorted(done):
            if done[name]:
                self.stdout.write(f"{name}: {done[name]}")
        self.stdout.write(f"{sum(done.values())} rows removed or emptied")
        self._report(names, done)

    def _names(self, options: dict[str, Any]) -> list[str]:
        known = prunable_rules()
        if options["all"] == bool(options["table"]):
            raise CommandError("Name tables with --table, or give --all.", returncode=2)
        if options["all"]:
            return known
        tables = {name: table.db_table for name, (table, _rule) in declared_rules().items()}
        chosen = [name for name in known if {name, tables[name]} & set(options["table"])]
        unknown = [
            given
            for given in options["table"]
            if not any(given in (name, tables[name]) for name in known)
        ]
        if unknown:
            raise CommandError(f"Nothing prunes {', '.join(unknown)}.", returncode=2)
        return chosen

    def _count(self, names: list[str]) -> None:
        rules = declared_rules()
        for name in names:
            table, rule = rules[name]
            if is_due_now(rule):
                self.stdout.write(f"{name}: {due_of(name)} of {table.db_table}")
            else:
                self.stdout.write(f"{name}: kept for ever ({rule.span.setting} is 0)")

    def _report(self, names: list[str], done: dict[str, int]) -> None:
        if not done:
            self.stderr.write("Another process prunes already.")
            sys.exit(1)
        states = PruningState.objects.in_bulk(names)
        failed = [name for name in names if name not in done]
        for name in failed:
            self.stderr.write(f"{name}: {states[name].error if name in states else 'raised'}")
        late = [name for name in done if name in states and not states[name].is_complete]
        for name in late:
            self.stderr.write(f"{name}: not finished in time")
        if failed or late:
            sys.exit(1)
