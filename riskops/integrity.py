"""What must hold of the risk engine's data as a whole."""

from riskops.scores.facts import accounts_with_wrong_facts
from systemadmin.foundation.integrity import IntegrityCheck


def check_facts() -> list[str]:
    """Compare what is stored of each account with the sum of its events."""
    wrong = accounts_with_wrong_facts()
    if not wrong:
        return []
    return [f"the facts of {wrong} accounts differ from the event log: recompute_risk --rebuild"]


CHECKS = [IntegrityCheck(name="account facts", run=check_facts, repairable=True)]
