"""What other desks' findings say about accounts: confirmed links to fraud, open anomalies.

The risk score reads both through here, so that links and anomalies stay unknown to it.
"""

from __future__ import annotations

from riskops.querysets.accounts import Accounts

# account id -> (how many, or the strength in permille; since when in µs; latest in µs)
Findings = dict[int, tuple[int, int, int]]


def fraud_neighbours(accounts: Accounts) -> Findings:
    """For each account the strongest confirmed link to an account confirmed as fraud."""
    return {}


def open_anomalies(accounts: Accounts) -> Findings:
    """For each account its open or confirmed transaction anomalies."""
    return {}
