"""Real wallets of a public airdrop: who belongs to a multi-account operator?

Runs the linker of the product (linking.py and clustering.py of riskops/links) over the candidate
accounts and their transfers and compares it with plain methods on the labels that are given.
No hand-made list of exchanges or contracts is used. Labels derive partly from the transfers
themselves and unreported operators exist among the zeros: precision is a lower bound.

    python bench/related_accounts.py [--data DIR] [--out clusters.csv] [--cv]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, triu
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from riskops.links import linking
from riskops.links.clustering import ClusterRules, Edges, find_clusters
from riskops.links.linking import Identifiers, LinkRules, PairRows, Sightings

DATA = ROOT.parent / "shared" / "data" / "hop"
# The linker's rules are the product's defaults. A multi-account operator is a bigger thing than
# two accounts of one owner, so groups get the room and the least size of one.
RULES = LinkRules()
CLUSTER_RULES = ClusterRules(min_probability=0.5, size_guard=300, min_size=8)
# The same linker asked to be surer: for a reader who wants precision.
STRICT = ClusterRules(min_probability=2 / 3, size_guard=300, min_size=9)
# What the cross-validation may choose from.
GRID_MATCH = (0.35, 0.1, 0.03)
GRID_PRIOR = (-3.5, -4.0, -4.5, -5.0)
GRID_SIZE = (6, 7, 8, 9)


@dataclass
class World:
    addresses: list[str]
    accounts: int  # the first so many addresses are candidates
    edges: np.ndarray  # distinct unordered pairs of addresses
    label: np.ndarray  # 1, 0 or -1 where it is held back
    group: np.ndarray

    @property
    def degree(self) -> np.ndarray:
        return np.bincount(self.edges.ravel(), minlength=len(self.addresses))


def load(folder: Path) -> World:
    with gzip.open(folder / "accounts.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    index = {row["address"]: i for i, row in enumerate(rows)}
    label = np.array([{"1": 1, "0": 0}.get(row["multi_account"], -1) for row in rows])
    group = np.array([row["reported_group"] for row in rows])
    pairs = []
    with gzip.open(folder / "transfers.csv.gz", "rt", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for a, b in reader:
            pairs.append((index.setdefault(a, len(index)), index.setdefault(b, len(index))))
    edges = np.sort(np.array(pairs, dtype=np.int64), axis=1)
    edges = np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)
    return World(list(index), len(rows), edges, label, group)


# -- the product's linker on this world ---------------------------------------


def sightings_of(world: World) -> tuple[Sightings, Sightings, Identifiers]:
    """Each candidate owns the wallet of its address and deals with those it has edges to."""
    both = np.concatenate([world.edges, world.edges[:, ::-1]])
    dealing = both[both[:, 0] < world.accounts]
    own = np.arange(world.accounts, dtype=np.int64)

    def rows(account: np.ndarray, wallet: np.ndarray, kind: str) -> Sightings:
        zeros, hits = np.zeros(len(account)), np.full(len(account), 100, dtype=np.int64)
        code = np.full(len(account), linking.KIND_CODES[kind], dtype=np.int64)
        return Sightings(account, wallet, code, zeros, zeros, hits)

    dealers = np.bincount(dealing[:, 1], minlength=len(world.addresses))
    known = Identifiers.of(dealers, reach=world.degree)
    owners = rows(own, own, "wallet")
    return owners, rows(dealing[:, 0], dealing[:, 1], "counterparty"), known


def link(world: World, rules: LinkRules = RULES) -> linking.Links:
    owners, dealings, known = sightings_of(world)
    cap = rules.kinds["counterparty"].crowd_cap
    quiet = dealings.only(known.accounts[dealings.identifier] <= cap)
    rows = PairRows.concatenate(
        [
            linking.transfer_pairs(owners, dealings),
            linking.expand_pairs(linking.sort_sightings(quiet)),
        ]
    )
    profile = linking.money_profile(owners, dealings)
    norms = linking.profile_norms([profile], known, world.accounts, world.accounts, rules)
    return linking.combine(rows, known, norms, world.accounts, rules)


def cluster(world: World, links: linking.Links, rules: ClusterRules = CLUSTER_RULES):
    edges = Edges.plain(links.low, links.high, links.bits, links.may_merge)
    return find_clusters(edges, world.accounts, rules)


# -- scoring ------------------------------------------------------------------


@dataclass
class Figures:
    largest: int
    precision: float
    recall: float
    f1: float
    clusters: int


def score(world: World, label: np.ndarray, mask: np.ndarray | None = None) -> Figures:
    """A cluster counts when it has more than 5 addresses and more than 3 candidates.

    `label` gives a cluster for every address, or for the candidates alone.
    """
    mine = label[: world.accounts]
    said = score_members(world, label) == 1
    candidates = np.bincount(mine[said], minlength=1)
    judged = world.label >= 0 if mask is None else (world.label >= 0) & mask
    hits = int((said & judged & (world.label == 1)).sum())
    precision = hits / max(int((said & judged).sum()), 1)
    recall = hits / max(int((judged & (world.label == 1)).sum()), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return Figures(int(candidates.max()), precision, recall, f1, int((candidates > 0).sum()))


def score_members(world: World, label: np.ndarray) -> np.ndarray:
    """1 for every candidate in a cluster that counts, else 0."""
    number = label.max() + 1
    addresses = np.bincount(label[label >= 0], minlength=number)
    mine = label[: world.accounts]
    candidates = np.bincount(mine[mine >= 0], minlength=number)
    counts = np.append((addresses > 5) & (candidates > 3), False)
    return counts[mine].astype(int)


# -- the plain methods it is compared with ------------------------------------


def closure(world: World, keep: np.ndarray) -> np.ndarray:
    edges = world.edges[keep[world.edges[:, 0]] & keep[world.edges[:, 1]]]
    size = len(world.addresses)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    return connected_components(graph, directed=False)[1]


def baselines(world: World) -> dict[str, np.ndarray]:
    candidate = np.arange(len(world.addresses)) < world.accounts
    return {
        "transitive closure": closure(world, np.ones(len(world.addresses), dtype=bool)),
        "no list, shared nodes of degree <= 3": closure(world, candidate | (world.degree <= 3)),
        "no list, every node of degree <= 5": closure(world, world.degree <= 5),
    }


def counterparty_matrix(world: World) -> csr_array:
    both = np.concatenate([world.edges, world.edges[:, ::-1]])
    both = both[both[:, 0] < world.accounts]
    shape = (world.accounts, len(world.addresses))
    return coo_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=shape).tocsr()


def rankings(world: World) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of accounts ranked by plain measures over shared counterparties."""
    whole = counterparty_matrix(world)
    dealers = np.asarray(whole.sum(axis=0)).ravel()
    weight = np.maximum(np.log(world.accounts / np.maximum(dealers, 1)), 0)
    length = np.sqrt(np.asarray((whole @ diags_array(weight**2)).multiply(whole).sum(axis=1)))
    few = whole[:, np.flatnonzero((dealers >= 2) & (dealers <= 3000))]
    kept = weight[(dealers >= 2) & (dealers <= 3000)]

    def pairs(factor: np.ndarray):
        found = triu((few @ diags_array(factor)) @ few.T, 1).tocoo()
        return found.row, found.col, found.data

    low, high, count = pairs(np.ones_like(kept))
    _, _, idf = pairs(kept)
    _, _, dot = pairs(kept**2)
    overlap = dot / np.maximum(length.ravel()[low] * length.ravel()[high], 1e-12)
    return {
        "shared counterparties": (low, high, count),
        "IDF": (low, high, idf),
        "IDF x sqrt(overlap)": (low, high, idf * np.sqrt(overlap)),
    }


def pair_precision(world: World, low, high, value, cuts=(1000, 5000, 10000)) -> list[float]:
    """Share of the best pairs that a report puts into one group, where at least one is in one."""
    judged = (world.group[low] != "") | (world.group[high] != "")
    low, high, value = low[judged], high[judged], value[judged]
    best = np.argsort(-value, kind="stable")[: max(cuts)]
    right = (world.group[low[best]] == world.group[high[best]]) & (world.group[low[best]] != "")
    return [float(right[:cut].mean()) if len(right) else 0.0 for cut in cuts]


# -- tuning -------------------------------------------------------------------


def folds(world: World, number: int = 5) -> np.ndarray:
    """A fold for every candidate; accounts that touch one another never part."""
    candidate = np.arange(len(world.addresses)) < world.accounts
    component = closure(world, candidate)[: world.accounts]
    fold = np.random.default_rng(7).integers(0, number, component.max() + 1)
    return fold[component]


def cross_validate(world: World) -> None:
    """Chooses on four fifths of the labels by F1 and tells how the choice does on the fifth."""
    choices = {}
    for match in GRID_MATCH:
        rules = RULES.with_kind("counterparty", match=match)
        links = link(world, rules)
        for prior in GRID_PRIOR:
            moved = replace(links, bits=links.bits - rules.prior_bits + prior)
            for size in GRID_SIZE:
                found = cluster(world, moved, replace(CLUSTER_RULES, min_size=size))
                choices[match, prior, size] = found.label
    fold = folds(world)
    print(
        "\nfold  chosen (counterparty match, prior bits, least size)   precision recall F1 unseen"
    )
    unseen, pooled = [], np.full(world.accounts, -1)
    for number in range(fold.max() + 1):
        best = max(choices, key=lambda choice: score(world, choices[choice], fold != number).f1)
        figures = score(world, choices[best], fold == number)
        unseen.append(figures.f1)
        counting = score_members(world, choices[best])
        pooled[fold == number] = counting[fold == number]
        print(
            f"{number:4d}  {best!s:54s}  {figures.precision:.3f}  {figures.recall:.3f}"
            f"  {figures.f1:.3f}"
        )
    judged = world.label >= 0
    hits = ((pooled == 1) & (world.label == 1)).sum()
    total = ((pooled == 1) & judged).sum() + (world.label == 1).sum()
    print(
        f"F1 on labels the choice never saw: mean {np.mean(unseen):.3f}, all {2 * hits / total:.3f}"
    )


# -- the report ---------------------------------------------------------------


def write_clusters(world: World, label: np.ndarray, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["address", "cluster"])
        for account in np.flatnonzero(label >= 0).tolist():
            writer.writerow([world.addresses[account], int(label[account])])


def report(world: World, out: Path | None) -> None:
    print(f"{'linker':45s} largest precision recall    F1 clusters")

    def row(name: str, label: np.ndarray) -> None:
        f = score(world, label)
        print(
            f"{name:45s} {f.largest:7d} {f.precision:9.3f} {f.recall:6.3f} {f.f1:5.3f}"
            f" {f.clusters:8d}"
        )

    for name, label in baselines(world).items():
        row(name, label)
    started = time.perf_counter()
    links = link(world)
    linked = time.perf_counter()
    found = cluster(world, links)
    done = time.perf_counter()
    row("this linker", found.label)
    row("this linker, asked to be surer", cluster(world, links, STRICT).label)
    reasons = Counter(bridge.reason for bridge in found.bridges)
    print(
        f"{len(links.low):,} pairs in {linked - started:.1f} s, clusters in {done - linked:.2f} s;"
        f" refused merges: {dict(reasons)}"
    )
    print(f"\n{'pairs ranked by':45s}  1,000  5,000 10,000")
    ranked = {**rankings(world), "bits of this linker": (links.low, links.high, links.bits)}
    for name, (low, high, value) in ranked.items():
        cells = " ".join(f"{x:6.3f}" for x in pair_precision(world, low, high, value))
        print(f"{name:45s} {cells}")
    if out:
        write_clusters(world, found.label, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help="write address,cluster of this linker here")
    parser.add_argument("--cv", action="store_true", help="cross-validate the choice of rules")
    options = parser.parse_args()
    if not (options.data / "accounts.csv.gz").exists():
        print(
            f"No data in {options.data}: nothing measured. See docs/benchmarks.md for its origin."
        )
        return
    world = load(options.data)
    known = int((world.label >= 0).sum())
    print(f"{world.accounts:,} accounts, {len(world.edges):,} transfers, {known:,} labels given\n")
    report(world, options.out)
    if options.cv:
        cross_validate(world)


if __name__ == "__main__":
    main()
