"""Remove the demo data, and nothing else."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.errors import DemoPurgeRunning, DemoRowsInUse
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import ApprovalRequest
from systemadmin.services.approval_texts import waiting_text
from systemadmin.services.approvers import eligible
from systemadmin.services.demo import PurgeReport, purge_demo
from systemadmin.services.emergencies import run_or_ask
from systemadmin.services.second_person import acts


class Command(BaseCommand):
    """`manage.py purge_demo [--dry-run]`: exit code 1 when real rows stand in the way."""

    help = "Remove every demo row after a backup; refuses when a real row depends on one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and remove nothing")
        parser.add_argument(
            "--emergency",
            action="store_true",
            help="remove it now, without a second person: this is audited and alerted",
        )
        parser.add_argument("--reason", default="", help="why; who approves reads it")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        try:
            with context(source="command"):
                report = self._purge(dry_run, options["emergency"], options["reason"])
        except (DemoRowsInUse, DemoPurgeRunning) as refusal:
            raise CommandError(str(refusal)) from refusal
        except InvalidInput as refusal:
            raise CommandError(f"{refusal} Use --reason.") from refusal
        if isinstance(report, ApprovalRequest):
            self.stdout.write(waiting_text(report))
        else:
            self._print(report)

    def _purge(
        self, dry_run: bool, is_emergency: bool, reason: str
    ) -> PurgeReport | ApprovalRequest:
        if dry_run:
            return purge_demo(actor=None, dry_run=True)
        # Without a colleague who could approve, nobody would ever do it.
        nobody = not eligible(None, acts()["systemadmin.purge_demo"], {})
        return run_or_ask(
            act="systemadmin.purge_demo",
            arguments={},
            run=lambda: purge_demo(actor=None),
            is_emergency=is_emergency or nobody,
            reason=reason,
        )

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
