"""Keeps clusters in step with the links, and judges or suspends a whole one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops import bulk, concerned
from riskops.bulk import Column
from riskops.columns import Read, fetch
from riskops.errors import AlreadyJudged, NothingToSuspend
from riskops.ingest.store import mark_pending
from riskops.links.clustering import ClusterRules, Clusters, Edges, find_clusters
from riskops.links.hubs import find_ring_devices
from riskops.links.linking import LIKELY
from riskops.links.verdicts import confirm_related, dismiss_related
from riskops.models import AccountCluster, ClusterMember, LinkStatus, RelatedAccount
from systemadmin import audit
from systemadmin.foundation import configuration
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services import suspend_user
from systemadmin.services.duties import decides

BRIDGES_KEPT = 20
BATCH = 500
STATUS_SQL = "CASE r.status WHEN 'confirmed' THEN 1 WHEN 'dismissed' THEN 2 ELSE 0 END"


@dataclass(slots=True)
class ClusterSummary:
    """What became of the clusters."""

    clusters: int = 0
    accounts: int = 0
    largest: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """One cluster as just found."""

    members: frozenset[int]
    strength: int
    bridges: list[list[Any]]
    hubs: list[list[int]]


def rebuild_clusters() -> ClusterSummary:
    """Group all accounts anew by their links; clusters keep their number and verdict."""
    with named_lock("riskops.clusters", wait=True), transaction.atomic():
        groups, refused = _find()
        _store(groups)
    sizes = [len(group.members) for group in groups]
    return ClusterSummary(len(groups), sum(sizes), max(sizes, default=0), refused)


def _find() -> tuple[list[Group], int]:
    found = fetch(
        (
            Read("low", "r.low_id"),
            Read("high", "r.high_id"),
            # Bits are kept to two decimals, so hundredths are exact.
            Read("bits", "ROUND(r.bits * 100)"),
            Read("strength", "r.strength"),
            Read("may_merge", "CASE WHEN r.may_merge THEN 1 ELSE 0 END"),
            Read("status", STATUS_SQL),
        ),
        f"FROM {RelatedAccount._meta.db_table} AS r "
        f"WHERE r.strength >= {LIKELY} OR r.status <> 'suspected' ORDER BY r.low_id, r.high_id",
        (),
    )
    accounts = np.unique(np.concatenate([found["low"], found["high"]]))
    edges = Edges(
        low=np.searchsorted(accounts, found["low"]),
        high=np.searchsorted(accounts, found["high"]),
        bits=found["bits"] / 100,
        probability=found["strength"] / 100,
        may_merge=found["may_merge"] > 0,
        confirmed=found["status"] == 1,
        dismissed=found["status"] == 2,
    )
    guard = int(configuration.setting("riskops.cluster_size_guard"))
    clusters = find_clusters(edges, len(accounts), ClusterRules(LIKELY / 100, guard))
    return _groups(clusters, edges, accounts, found["strength"]), len(clusters.bridges)


def _groups(
    clusters: Clusters, edges: Edges, accounts: np.ndarray, strength: np.ndarray
) -> list[Group]:
    label = clusters.label
    inside = (label[edges.low] == label[edges.high]) & (label[edges.low] >= 0) & ~edges.dismissed
    weakest = np.full(clusters.number, 100, dtype=np.int64)
    np.minimum.at(weakest, label[edges.low[inside]], strength[inside])
    bridges: dict[int, list[list[Any]]] = defaultdict(list)
    for bridge in clusters.bridges:
        low, high = int(edges.low[bridge.edge]), int(edges.high[bridge.edge])
        row = [int(strength[bridge.edge]), bridge.reason]
        for here, there in ((low, high), (high, low)):
            if label[here] >= 0:
                bridges[int(label[here])].append([int(accounts[here]), int(accounts[there]), *row])
    hubs = find_ring_devices(
        {int(accounts[at]): int(label[at]) for at in np.flatnonzero(label >= 0)}
    )
    return [
        Group(
            members=frozenset(accounts[members].tolist()),
            strength=int(weakest[number]),
            hubs=hubs.get(number, []),
            bridges=sorted(bridges[number], key=lambda b: (-b[2], b[:2]))[:BRIDGES_KEPT],
        )
        for number, members in enumerate(clusters.members())
    ]


def _match_stored(
    groups: list[Group], before: dict[int, int], stored: dict[int, AccountCluster]
) -> list[tuple[AccountCluster, Group]]:
    """Return each group with its cluster, which leaves `stored`, or with a new one.

    The largest group chooses first: what it has taken is no longer among those stored.
    """
    clusters: list[tuple[AccountCluster, Group]] = []
    for group in sorted(groups, key=lambda g: (-len(g.members), min(g.members))):
        votes = Counter(pk for a in group.members if (pk := before.get(a)) in stored)
        chosen = min(votes, key=lambda pk: (-votes[pk], pk)) if votes else None
        clusters.append((stored.pop(chosen) if chosen else AccountCluster(), group))
    return clusters


def _store(groups: list[Group]) -> None:
    """Write only what changed; a group is the cluster that most of its members were in."""
    before = dict(ClusterMember.objects.values_list("account_id", "cluster_id"))
    stored = AccountCluster.objects.in_bulk()
    clusters = _match_stored(groups, before, stored)
    written = _write(clusters)
    now = {account: cluster.pk for cluster, group in clusters for account in group.members}
    left = [account for account in before if account not in now]
    for part in _batched(left):
        ClusterMember.objects.filter(account_id__in=part).delete()
    moved = {account: pk for account, pk in now.items() if before.get(account) != pk}
    _move(moved)
    # The size of its cluster counts in the score of every member.
    resized = {
        account for cluster, group in clusters if cluster.pk in written for account in group.members
    }
    mark_pending(resized | set(moved) | set(left))
    for part in _batched(list(stored)):
        AccountCluster.objects.filter(pk__in=part).delete()


def _batched(ids: list[int]) -> Iterator[list[int]]:
    """Yield parts that fit the variables of a statement."""
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _write(clusters: list[tuple[AccountCluster, Group]]) -> set[int]:
    """Write the clusters that are new or changed; return their ids."""
    new, changed = [], []
    for cluster, group in clusters:
        values = {
            "size": len(group.members),
            "strength": group.strength,
            "bridges": group.bridges,
            "hubs": group.hubs,
        }
        if cluster.pk and all(getattr(cluster, name) == value for name, value in values.items()):
            continue
        (changed if cluster.pk else new).append(cluster)
        for name, value in values.items():
            setattr(cluster, name, value)
        cluster.updated_at = timezone.now()
    AccountCluster.objects.bulk_create(new, batch_size=BATCH)
    AccountCluster.objects.bulk_update(
        changed, ["size", "strength", "bridges", "hubs", "updated_at"], batch_size=BATCH
    )
    return {cluster.pk for cluster in (*new, *changed)}


def _move(moved: dict[int, int]) -> None:
    accounts = sorted(moved)
    bulk.insert(
        ClusterMember._meta.db_table,
        [
            Column("account_id", "bigint", accounts),
            Column("cluster_id", "bigint", [moved[account] for account in accounts]),
        ],
        conflict="account_id",
        update=["cluster_id = EXCLUDED.cluster_id"],
        order_by="account_id",
    )


# -- verdicts on a whole cluster -----------------------------------------------


@decides(
    "riskops.confirm_cluster",
    permission="riskops.judge_accountcluster",
    concerns=concerned.own_members,
)
def confirm_cluster(
    *, actor: User, cluster: AccountCluster, note: str = "", expected_version: int | None = None
) -> AccountCluster:
    """Confirm every link inside a cluster as one audited act."""
    return _judge(actor, cluster, LinkStatus.CONFIRMED, note, expected_version)


@decides(
    "riskops.dismiss_cluster",
    permission="riskops.judge_accountcluster",
    concerns=concerned.own_members,
)
def dismiss_cluster(
    *, actor: User, cluster: AccountCluster, note: str = "", expected_version: int | None = None
) -> AccountCluster:
    """Dismiss every link inside a cluster as one audited act."""
    return _judge(actor, cluster, LinkStatus.DISMISSED, note, expected_version)


@transaction.atomic
def _judge(
    actor: User,
    cluster: AccountCluster,
    status: LinkStatus,
    note: str,
    expected_version: int | None,
) -> AccountCluster:
    row = lock_row(AccountCluster.objects.all(), expected_version=expected_version, pk=cluster.pk)
    if row.status == status:
        raise AlreadyJudged
    members = list(row.members.values_list("account_id", flat=True))
    judge = confirm_related if status == LinkStatus.CONFIRMED else dismiss_related
    pairs = RelatedAccount.objects.filter(
        low_id__in=members, high_id__in=members, status=LinkStatus.SUSPECTED
    )
    judged = [judge(actor=actor, pair=pair, note=note).pk for pair in pairs.order_by("pk")]
    before = {"status": row.status}
    row.status, row.note = status, note.strip()
    row.decided_by, row.decided_at = actor, timezone.now()
    row.bump()
    row.full_clean(exclude=["decided_by"])
    row.save()
    audit.record(
        f"riskops.cluster.{status}",
        actor=actor,
        target=row,
        before=before,
        after={"status": row.status},
        reason=row.note,
        metadata={"accounts": members, "pairs": judged},
    )
    return row


@decides(
    "riskops.suspend_cluster",
    permission="riskops.suspend_accountcluster",
    concerns=concerned.own_members,
)
@transaction.atomic
def suspend_cluster(
    *, actor: User, cluster: AccountCluster, reason: str, expected_version: int | None = None
) -> list[int]:
    """Suspend every account of a cluster that is not suspended yet; returns their ids.

    All or nothing: one account that may not be suspended refuses the whole act.
    """
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why the accounts are suspended."), code="required")
    row = lock_row(AccountCluster.objects.all(), expected_version=expected_version, pk=cluster.pk)
    suspended = []
    for member in row.members.select_related("account").order_by("account_id"):
        if member.account.is_suspended or member.account.erased_at is not None:
            continue
        try:
            suspend_user(actor=actor, user=member.account, reason=reason)
        except DomainError as refusal:
            refusal.detail = f"{member.account}: {refusal.detail}"
            raise
        suspended.append(member.account_id)
    if not suspended:
        raise NothingToSuspend
    audit.record(
        "riskops.cluster.suspended",
        actor=actor,
        target=row,
        reason=reason,
        metadata={"accounts": suspended},
    )
    return suspended
