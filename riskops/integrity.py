"""What must hold of the risk engine's data as a whole."""

from riskops.scores.facts import accounts_with_wrong_facts
from systemadmin.foundation.integrity import IntegrityCheck


def check_facts() -> list[str]:
    """What is remembered of each account is what its events add up to."""
    wrong = accounts_with_wrong_facts()
    if not wrong:
        return []
    return [f"the facts of {wrong} accounts differ from the event log: recompute_risk --rebuild"]


CHECKS = [IntegrityCheck(name="account facts", run=check_facts, repairable=True)]
