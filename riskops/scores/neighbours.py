"""What links and anomalies say about accounts: guilt by confirmed link, suspicious transactions.

The risk score reads both through here, so that links and anomalies stay unknown to it.
"""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.anomalies.rules import TRANSACTION_CODES
from riskops.columns import Read, fetch, moment
from riskops.models.anomalies import Anomaly, AnomalyRule
from riskops.models.facts import AccountFacts
from riskops.models.links import LinkStatus, RelatedAccount

# account id -> (how many, or the strength in permille; since when in µs; latest in µs)
Findings = dict[int, tuple[int, int, int]]

RELATED = RelatedAccount._meta.db_table
FACTS = AccountFacts._meta.db_table
ANOMALIES = Anomaly._meta.db_table
RULES = AnomalyRule._meta.db_table

# Fraud counts until the account is found legitimate again.
GUILTY = (
    "f.confirmed_fraud_at IS NOT NULL AND "
    "(f.confirmed_legitimate_at IS NULL OR f.confirmed_legitimate_at < f.confirmed_fraud_at)"
)


def fraud_neighbours(accounts: Accounts) -> Findings:
    """For each account the strongest confirmed link to an account confirmed as fraud.

    Guilt takes one step and is never stored: taking back the verdict or the fraud takes back
    exactly its effect.
    """
    sides, params = [], []
    for mine, other in (("low_id", "high_id"), ("high_id", "low_id")):
        where, values = accounts.sql(f"r.{mine}")
        sides.append(
            f"SELECT r.{mine} AS account, "  # noqa: S608
            # What staff confirmed is at least as likely as not, however thin the evidence.
            "CASE WHEN r.probability < 0.5 THEN 0.5 ELSE r.probability END AS probability, "
            f"f.confirmed_fraud_at AS since FROM {RELATED} AS r "
            f"JOIN {FACTS} AS f ON f.account_id = r.{other} "
            f"WHERE r.status = %s AND r.status <> 'suspected' "
            f"AND (r.expires_at IS NULL OR r.expires_at > %s) AND {where} AND {GUILTY}"
        )
        params += [LinkStatus.CONFIRMED.value, timezone.now(), *values]
    columns = (
        Read("account", "g.account"),
        Read("permille", "ROUND(MAX(g.probability) * 1000)"),
        moment("since", "MIN(g.since)"),
        moment("latest", "MAX(g.since)"),
    )
    tail = f"FROM ({' UNION ALL '.join(sides)}) AS g GROUP BY g.account"
    return _findings(columns, tail, params)


def open_anomalies(accounts: Accounts) -> Findings:
    """For each account its open or confirmed transaction anomalies."""
    where, params = accounts.sql("a.account_id")
    marks = ", ".join(["%s"] * len(TRANSACTION_CODES))
    columns = (
        Read("account", "a.account_id"),
        Read("count", "COUNT(*)"),
        moment("since", "MIN(a.first_hit_at)"),
        moment("latest", "MAX(a.last_hit_at)"),
    )
    tail = (
        f"FROM {ANOMALIES} AS a JOIN {RULES} AS r ON r.id = a.rule_id WHERE {where} "
        f"AND r.detector IN ({marks}) AND (a.status = 'open' OR a.outcome = 'confirmed') "
        "GROUP BY a.account_id"
    )
    return _findings(columns, tail, [*params, *TRANSACTION_CODES])


def _findings(columns: tuple[Read, ...], tail: str, params: list) -> Findings:
    found = fetch(columns, tail, params)
    values = zip(*(found[column.name].tolist() for column in columns), strict=True)
    return {account: (count, since, latest) for account, count, since, latest in values}


def confirmed_neighbours(account_ids: set[int]) -> set[int]:
    """The accounts whose score hangs on whether these are fraud."""
    pairs = RelatedAccount.objects.filter(
        Q(low_id__in=account_ids) | Q(high_id__in=account_ids), status=LinkStatus.CONFIRMED
    )
    return {account for pair in pairs.values_list("low_id", "high_id") for account in pair}
