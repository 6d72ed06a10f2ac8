"""The devices that a whole cluster shares: what makes it a ring rather than a few pairs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from django.utils.translation import ngettext

from riskops.models import AccountCluster, IdentifierKind, Sighting

# A ring has so many accounts at least, and half of them on each device that is named.
LEAST_RING = 5
HUB_SHARE = 0.5
HUBS_KEPT = 10
BATCH = 500


def find_ring_devices(cluster_of: Mapping[int, int]) -> dict[int, list[list[int]]]:
    """For each cluster the devices of half its accounts or more: `[identifier, accounts]`."""
    sizes = Counter(cluster_of.values())
    accounts = sorted(a for a, number in cluster_of.items() if sizes[number] >= LEAST_RING)
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for start in range(0, len(accounts), BATCH):
        rows = Sighting.objects.filter(
            account_id__in=accounts[start : start + BATCH],
            identifier__kind=IdentifierKind.DEVICE,
            identifier__is_shared=False,
        )
        for account, identifier in rows.values_list("account_id", "identifier_id"):
            counts[cluster_of[account]][identifier] += 1
    return {
        number: [
            [identifier, count]
            for identifier, count in sorted(found.items(), key=lambda row: (-row[1], row[0]))
            if count >= HUB_SHARE * sizes[number]
        ][:HUBS_KEPT]
        for number, found in counts.items()
    }


def ring_text(cluster: AccountCluster) -> str:
    """Return what makes a cluster a ring in plain words; empty for others."""
    if not cluster.hubs:
        return ""
    text = ngettext(
        "Ring: %(accounts)s of %(size)s accounts on one device",
        "Ring: up to %(accounts)s of %(size)s accounts on each of %(devices)s devices",
        len(cluster.hubs),
    )
    return text % {
        "accounts": max(count for _identifier, count in cluster.hubs),
        "size": cluster.size,
        "devices": len(cluster.hubs),
    }
