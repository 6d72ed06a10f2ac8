"""What must hold of the marketplace's data as a whole."""

from marketplace.services import check_ledger
from systemadmin.foundation.integrity import IntegrityCheck

CHECKS = [IntegrityCheck(name="ledger", run=check_ledger)]
