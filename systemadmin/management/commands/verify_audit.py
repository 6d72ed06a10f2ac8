"""`manage.py verify_audit`: was a row of the audit trail removed, changed or inserted?"""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from systemadmin.services.audit_chain import seal_audit_trail, verify_audit_trail


class Command(BaseCommand):
    """Exits with 1 when the chain does not hold."""

    help = "Verify the hash chain over the audit trail."

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify first, so that a forged row is not sealed before it is seen."""
        report = verify_audit_trail()
        for kind, entry in report.faults:
            self.stderr.write(f"{kind}: audit entry {entry}")
        if not report.holds:
            sys.exit(1)
        sealed = seal_audit_trail()
        self.stdout.write(
            f"The audit trail holds: {report.checked} rows checked, {sealed} newly sealed, "
            f"head {report.head}"
        )
