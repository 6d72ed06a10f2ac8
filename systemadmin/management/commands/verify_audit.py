"""`manage.py verify_audit`: was a row of the audit trail removed, changed or inserted?"""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.errors import AuditVerificationRunning
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import AuditVerification
from systemadmin.services.audit_heads import HeadUnreadable, given_head
from systemadmin.services.audit_runs import explain_fault, verify_now
from systemadmin.services.audit_statements import Statement
from systemadmin.services.audit_walk import Fault


class Command(BaseCommand):
    """Exits with 1 when the trail does not hold."""

    help = "Verify the audit trail: every row, the chain, and the heads kept outside."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--head",
            action="append",
            default=[],
            metavar="FILE|POSITION:HASH",
            help="A head kept outside: a file of audit-heads/, or what an alert or the log said.",
        )
        parser.add_argument(
            "--from-start", action="store_true", help="Do not go on with an interrupted run."
        )
        parser.add_argument(
            "--explain",
            nargs=2,
            metavar=("FAULT", "POSITION"),
            help="State that this fault is known (needs --reason), then verify.",
        )
        parser.add_argument("--reason", default="", help="Why the fault is there.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify in this process, going on with an interrupted run."""
        heads = [_read_head(text) for text in options["head"]]
        if options["explain"]:
            fault, position = options["explain"]
            _explain(fault, position, options["reason"])
        try:
            run = verify_now(heads=heads, resume=not options["from_start"])
        except AuditVerificationRunning as error:
            raise CommandError(str(error.detail)) from error
        self._show(run)
        if not run.holds:
            sys.exit(1)

    def _show(self, run: AuditVerification) -> None:
        for note in run.notes:
            self.stdout.write(str(note))
        for fault in run.faults:
            self.stderr.write(str(Fault(**fault)))
        if run.holds:
            self.stdout.write(
                f"The audit trail holds: {run.checked} rows checked, {run.heads_compared} outside "
                f"heads compared, head {run.head}"
            )
            return
        first = Fault(**run.first_fault) if run.first_fault else ""
        self.stderr.write(f"The audit trail does not hold: {run.fault_count} faults, first {first}")


def _read_head(text: str) -> Statement:
    path = Path(text)
    try:
        return given_head(path.read_text() if path.is_file() else text)
    except (HeadUnreadable, OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--head: neither a head file nor POSITION:HASH ({error})") from error


def _explain(fault: str, position: str, reason: str) -> None:
    # A fault without a position is explained by nothing: others of its kind would hide behind it.
    is_position = position.isascii() and position.isdigit() and int(position) > 0
    if not is_visible(reason) or not is_position:
        raise CommandError("--explain needs a position from 1 up, and --reason.")
    explain_fault(actor=None, fault=fault, position=int(position), reason=reason)
