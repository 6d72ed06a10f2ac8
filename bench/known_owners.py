"""Who has one owner, in invented towns where it is known: precision and recall by pattern.

    python bench/known_owners.py [--towns 5] [--strangers 2000]

Towns of `riskops/tests/worlds.py`: strangers, crowds behind one address or exchange, flatmates,
families with a common tablet, and rings of 2 to 20 accounts that are careless in one way. Runs the
product's own detection and clustering on a SQLite database of its own. A pair counts as linked from
`--strength` on, the strength from which a link may put two accounts into one cluster.
"""

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FOLDER = tempfile.TemporaryDirectory(prefix="atalaya-owners-")
os.environ.update(DJANGO_SETTINGS_MODULE="config.settings", DJANGO_DEBUG="1", VAR_DIR=FOLDER.name)
os.environ.pop("DATABASE_URL", None)

import django

django.setup()

from django.core.management import call_command

from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all
from riskops.models import ClusterMember, RelatedAccount
from riskops.tests.worlds import Builder

SIZES = (2, 2, 3, 4, 6, 9, 14, 20)
WAYS = ("device", "rotating", "wallet", "transfers")


def build(seed, strangers):
    """Write one town; return who is who in it."""
    town = Builder(seed)
    town.people(strangers)
    for place, guests in (("café", 30), ("campus", 120), ("CGNAT", 400), ("VPN", 60)):
        town.crowd(place, guests, ip=town.ip())
    town.crowd("exchange", 150, wallet=town.wallet())
    for size in (2, 2, 2, 2, 3, 3, 4, 5):
        town.flatmates(size)
        town.family(size)
    for size in SIZES:
        for way in WAYS:
            town.ring(size, how=way)
    return town.done()


def pairs_of(accounts):
    return {tuple(sorted(pair)) for pair in combinations(accounts, 2)}


class Tally:
    """What was to find, what was found, and what was found wrongly, by pattern."""

    def __init__(self):
        self.counts = defaultdict(lambda: [0, 0, 0])
        self.linked = [0, 0, 0]  # right, linked, true
        self.together = [0, 0, 0]
        self.largest = 0

    def add(self, world, linked, clusters):
        true = world.true_pairs()
        together = set().union(*(pairs_of(members) for members in clusters), set())
        self.largest = max([self.largest, *map(len, clusters)])
        for sums, found in ((self.linked, linked), (self.together, together)):
            for place, number in enumerate((len(found & true), len(found), len(true))):
                sums[place] += number
        groups = [*world.groups.items(), *((k, [v]) for k, v in world.crowds.items())]
        for name, members in groups:
            for accounts in members:
                pairs = pairs_of(accounts)
                for place, number in enumerate(map(len, (pairs, pairs & linked, pairs & together))):
                    self.counts[name][place] += number

    def table(self):
        yield "| pattern | pairs | linked | in one cluster |"
        yield "|---|---|---|---|"
        for name, (pairs, linked, together) in sorted(self.counts.items(), reverse=True):
            wanted = "" if name.startswith("ring") else " (wanted: 0)"
            yield f"| {name} | {pairs:,} | {linked / pairs:.3f}{wanted} | {together / pairs:.3f} |"
        for name, (right, found, true) in (("links", self.linked), ("clusters", self.together)):
            yield (
                f"{name}: precision {right / max(found, 1):.3f}, recall {right / true:.3f}"
                f" ({found:,} pairs found, {true:,} true)"
            )
        yield f"largest cluster: {self.largest}"


def main():
    """Build towns, one after the other, and print the table over all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--towns", type=int, default=5)
    parser.add_argument("--strangers", type=int, default=2000)
    parser.add_argument("--strength", type=int, default=50)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    tally = Tally()
    for seed in range(1, options.towns + 1):
        call_command("flush", interactive=False, verbosity=0)
        world = build(seed, options.strangers)
        detect_all()
        rebuild_clusters()
        strong = RelatedAccount.objects.filter(strength__gte=options.strength)
        clusters = defaultdict(set)
        for account, cluster in ClusterMember.objects.values_list("account_id", "cluster_id"):
            clusters[cluster].add(account)
        tally.add(world, set(strong.values_list("low_id", "high_id")), clusters.values())
    print("\n".join(tally.table()))


if __name__ == "__main__":
    main()
