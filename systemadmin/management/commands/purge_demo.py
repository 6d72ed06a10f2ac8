"""Remove the demo data, and nothing else."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.errors import DemoPurgeRunning, DemoRowsInUse
from systemadmin.foundation.context import context
from systemadmin.services.demo import PurgeReport, purge_demo


class Command(BaseCommand):
    """`manage.py purge_demo [--dry-run]`: exit code 1 when real rows stand in the way."""

    help = "Remove every demo row after a backup; refuses when a real row depends on one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and remove nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        try:
            with context(source="command"):
                report = purge_demo(actor=None, dry_run=dry_run)
        except (DemoRowsInUse, DemoPurgeRunning) as refusal:
            raise CommandError(str(refusal)) from refusal
        self._print(report)

    def _print(self, report: PurgeReport) -> None:
        for table, count in report.counts.items():
            self.stdout.write(f"  {count:>8}  {table}")
        for reference, count in report.detached.items():
            self.stdout.write(f"  {count:>8}  {reference} (real rows that lose the mention)")
        for blocker in report.blockers:
            self.stderr.write(f"  in the way: {blocker}")
        if report.dry_run:
            self.stdout.write(f"{report.total} demo rows would be removed; nothing was changed.")
            if report.blockers:
                raise CommandError(f"{len(report.blockers)} real rows depend on demo rows.")
            return
        kept = f" Backup: {report.backup}." if report.backup else ""
        self.stdout.write(f"{report.total} demo rows removed.{kept}")
