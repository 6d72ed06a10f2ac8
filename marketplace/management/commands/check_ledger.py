"""Check that the books add up."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace import services
from marketplace.models import LedgerTransaction


class Command(BaseCommand):
    """Print every fault of the ledger; the exit status is 1 when there is one."""

    help = "Check zero sums, balances, orders and payouts against the ledger."

    def handle(self, *args: Any, **options: Any) -> None:
        faults = services.check_ledger()
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"{len(faults)} faults in the ledger.")
        count = LedgerTransaction.objects.count()
        self.stdout.write(f"The ledger adds up: {count} transactions.")
