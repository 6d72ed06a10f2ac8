"""What verdicts, anomalies, links and clusters say about accounts, as columns for the score.

The risk score reads them through here, so that links and anomalies stay unknown to it.
"""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.anomalies.rules import TRANSACTION_CODES
from riskops.columns import Read, fetch, moment
from riskops.links.linking import LIKELY
from riskops.models.anomalies import Anomaly, AnomalyRule
from riskops.models.facts import AccountFacts
from riskops.models.links import AccountCluster, ClusterMember, LinkStatus, RelatedAccount
from riskops.scores.scoring import Ints

# `account` and what was found, one element an account; the others have nothing.
Columns = dict[str, Ints]

RELATED = RelatedAccount._meta.db_table
FACTS = AccountFacts._meta.db_table
ANOMALIES = Anomaly._meta.db_table
RULES = AnomalyRule._meta.db_table
CLUSTERS = AccountCluster._meta.db_table
MEMBERS = ClusterMember._meta.db_table

# Fraud counts until the account is found legitimate again.
GUILTY = (
    "f.confirmed_fraud_at IS NOT NULL AND "
    "(f.confirmed_legitimate_at IS NULL OR f.confirmed_legitimate_at < f.confirmed_fraud_at)"
)


def _sides(accounts: Accounts, columns: str, condition: str, join: str = "") -> tuple[str, list]:
    """Return SQL of the links of some accounts, each from the side of the account asked about."""
    sides: list[str] = []
    params: list = []
    for mine, other in (("low_id", "high_id"), ("high_id", "low_id")):
        where, values = accounts.sql(f"r.{mine}")
        sides.append(
            f"SELECT r.{mine} AS account, {columns} FROM {RELATED} AS r "  # noqa: S608
            f"{join.format(other=other)} WHERE {condition} AND {where}"
        )
        params += values
    return " UNION ALL ".join(sides), params


def fraud_neighbours(accounts: Accounts) -> Columns:
    """Return each account's strongest confirmed link to an account confirmed as fraud.

    Guilt takes one step and is never stored: taking back the verdict or the fraud takes back
    exactly its effect.
    """
    sides, params = _sides(
        accounts,
        # What staff confirmed is at least as likely as not, however thin the evidence.
        "CASE WHEN r.probability < 0.5 THEN 0.5 ELSE r.probability END AS probability, "
        "f.confirmed_fraud_at AS since, r.expires_at",
        # The second condition is that of the partial index.
        f"r.status = '{LinkStatus.CONFIRMED.value}' AND r.status <> 'suspected' AND {GUILTY}",
        f"JOIN {FACTS} AS f ON f.account_id = r.{{other}}",
    )
    columns = (
        Read("account", "g.account"),
        Read("fraud_permille", "ROUND(MAX(g.probability) * 1000)"),
        moment("fraud_since", "MIN(g.since)"),
    )
    tail = f"FROM ({sides}) AS g WHERE g.expires_at IS NULL OR g.expires_at > %s GROUP BY g.account"
    return fetch(columns, tail, [*params, timezone.now()])


def likely_links(accounts: Accounts) -> Columns:
    """Return how many accounts each is likely linked to, and the strongest of these links.

    With them the strongest suspected link to an account confirmed as fraud.
    """
    suspect = f"r.status = '{LinkStatus.SUSPECTED.value}' AND {GUILTY}"
    sides, params = _sides(
        accounts,
        "r.strength, r.created_at, "
        f"CASE WHEN {suspect} THEN r.probability END AS probability, "
        f"CASE WHEN {suspect} THEN f.confirmed_fraud_at END AS since",
        f"r.status <> '{LinkStatus.DISMISSED.value}' AND "
        f"(r.strength >= {LIKELY} OR r.status = '{LinkStatus.CONFIRMED.value}')",
        f"LEFT JOIN {FACTS} AS f ON f.account_id = r.{{other}}",
    )
    columns = (
        Read("account", "g.account"),
        Read("linked", "COUNT(*)"),
        Read("link_strength", "MAX(g.strength)"),
        moment("link_since", "MIN(g.created_at)"),
        Read("suspected_permille", "ROUND(MAX(g.probability) * 1000)"),
        moment("suspected_since", "MIN(g.since)"),
    )
    return fetch(columns, f"FROM ({sides}) AS g GROUP BY g.account", params)


def cluster_of(accounts: Accounts) -> Columns:
    """Return the size of each account's cluster and the share of fraud among the others in it."""
    where, params = accounts.sql("m.account_id")
    columns = (
        Read("account", "m.account_id"),
        Read("cluster_size", "c.size"),
        Read(
            "cluster_fraud_permille",
            f"(SELECT COUNT(*) FROM {MEMBERS} AS o JOIN {FACTS} AS f "  # noqa: S608
            "ON f.account_id = o.account_id WHERE o.cluster_id = m.cluster_id "
            f"AND o.account_id <> m.account_id AND {GUILTY}) * 1000 / "
            "(CASE WHEN c.size > 1 THEN c.size - 1 ELSE 1 END)",
        ),
        moment("cluster_since", "c.created_at"),
    )
    tail = (
        f"FROM {MEMBERS} AS m JOIN {CLUSTERS} AS c ON c.id = m.cluster_id "
        f"WHERE c.status <> '{LinkStatus.DISMISSED.value}' AND {where}"
    )
    return fetch(columns, tail, params)


def open_anomalies(accounts: Accounts) -> Columns:
    """Return what the open or confirmed anomalies of each account come to.

    Transaction anomalies are counted; each other one brings the points of its rule.
    """
    where, params = accounts.sql("a.account_id")
    marks = ", ".join(f"'{code}'" for code in TRANSACTION_CODES)
    money = f"r.detector IN ({marks})"
    columns = (
        Read("account", "a.account_id"),
        Read("anomalies", f"SUM(CASE WHEN {money} THEN 1 ELSE 0 END)"),
        moment("anomaly_since", f"MIN(CASE WHEN {money} THEN a.first_hit_at END)"),
        moment("last_anomaly_at", f"MAX(CASE WHEN {money} THEN a.last_hit_at END)"),
        Read("anomaly_points", f"SUM(CASE WHEN {money} THEN 0 ELSE r.points END)"),
        moment("anomaly_points_since", f"MIN(CASE WHEN {money} THEN NULL ELSE a.first_hit_at END)"),
    )
    tail = (
        f"FROM {ANOMALIES} AS a JOIN {RULES} AS r ON r.id = a.rule_id WHERE {where} "
        "AND (a.status = 'open' OR a.outcome = 'confirmed') GROUP BY a.account_id"
    )
    return fetch(columns, tail, params)


def accounts_beside(account_ids: set[int]) -> set[int]:
    """Return the accounts whose score hangs on whether these are fraud: linked or in a cluster."""
    pairs = RelatedAccount.objects.filter(
        Q(low_id__in=account_ids) | Q(high_id__in=account_ids),
        Q(status=LinkStatus.CONFIRMED) | Q(status=LinkStatus.SUSPECTED, strength__gte=LIKELY),
    )
    clusters = ClusterMember.objects.filter(account_id__in=account_ids).values("cluster_id")
    members = ClusterMember.objects.filter(cluster_id__in=clusters)
    linked = {account for pair in pairs.values_list("low_id", "high_id") for account in pair}
    return linked | set(members.values_list("account_id", flat=True))
