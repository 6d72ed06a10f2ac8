"""Groups of linked accounts: merges by falling bits that no café and no hub can force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from riskops.links.rules import Bools, Floats, Ints

WEAK, SIZE, DISMISSED = "weak", "size", "dismissed"


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """When two groups become one, and which groups are worth a name."""

    min_probability: float = 0.5
    size_guard: int = 25
    min_size: int = 2


@dataclass(frozen=True, slots=True)
class Edges:
    """Linked pairs of accounts: parallel columns."""

    low: Ints
    high: Ints
    bits: Floats
    probability: Floats
    may_merge: Bools  # carries one exclusive identifier or two independent ones
    confirmed: Bools  # staff said: one owner
    dismissed: Bools  # staff said: two owners

    def __len__(self) -> int:
        return len(self.low)

    def only(self, keep: Bools | Ints) -> Edges:
        return Edges(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    @classmethod
    def plain(cls, low: Ints, high: Ints, bits: Floats, may_merge: Bools) -> Edges:
        """Return edges on which staff have not yet spoken."""
        nothing = np.zeros(len(low), dtype=np.bool_)
        probability = 1.0 / (1.0 + np.exp2(-np.clip(bits, -60, 60)))
        return cls(low, high, bits, probability, may_merge, nothing, nothing)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A link that would have joined two groups and was not allowed to."""

    edge: int  # position in the edges given
    reason: str


@dataclass(frozen=True, slots=True)
class Clusters:
    """The group of every account (-1: none) and the merges that were refused."""

    label: Ints
    bridges: list[Bridge]

    @property
    def number(self) -> int:
        return int(self.label.max(initial=-1)) + 1

    def members(self) -> list[Ints]:
        """Return the accounts of each group, in order of their index."""
        order = np.argsort(self.label, kind="stable")
        starts = np.searchsorted(self.label[order], np.arange(self.number + 1))
        return [order[starts[i] : starts[i + 1]] for i in range(self.number)]


def find_clusters(edges: Edges, accounts: int, rules: ClusterRules) -> Clusters:
    """Merge by falling bits; what the compiled library can decide alone, it decides.

    Order matters only where a merge may be refused, so whole components below the size guard
    and without a dismissed pair are taken as they are; the others are merged edge by edge.
    """
    likely = (edges.probability >= rules.min_probability) & ~edges.dismissed
    joins = np.flatnonzero(edges.confirmed | (likely & edges.may_merge))
    component = _components(edges.low[joins], edges.high[joins], accounts)
    suspect = np.bincount(component, minlength=accounts)[component] > rules.size_guard
    suspect |= _torn(edges, component, accounts)
    label, refused = component.copy(), {}
    if suspect.any():
        label, refused = _merge_by_bits(edges, joins, component, suspect, rules)
    weak = np.flatnonzero(likely & ~edges.may_merge & ~edges.confirmed)
    weak = weak[label[edges.low[weak]] != label[edges.high[weak]]]
    refused |= {int(edge): WEAK for edge in weak}
    bridges = [Bridge(edge, reason) for edge, reason in sorted(refused.items())]
    return Clusters(_number(label, rules.min_size), bridges)


def _components(low: Ints, high: Ints, accounts: int) -> Ints:
    ones = np.ones(len(low), dtype=np.int8)
    # Here, not above: scipy is a quarter of the start-up of every process, and few build clusters.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    graph = coo_array((ones, (low, high)), shape=(accounts, accounts))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _torn(edges: Edges, component: Ints, accounts: int) -> Bools:
    """Return accounts whose component holds a dismissed pair."""
    apart = np.flatnonzero(edges.dismissed)
    inside = component[edges.low[apart]]
    inside = inside[inside == component[edges.high[apart]]]
    marked = np.zeros(accounts + 1, dtype=np.bool_)
    marked[inside] = True
    return marked[component]


def _merge_by_bits(
    edges: Edges, joins: Ints, component: Ints, suspect: Bools, rules: ClusterRules
) -> tuple[Ints, dict[int, str]]:
    """Merge strongest first, asking for each merge: the slow way, only where it can matter."""
    inside = joins[suspect[edges.low[joins]]]
    rank = np.lexsort((edges.high[inside], edges.low[inside], -edges.bits[inside],
                       ~edges.confirmed[inside]))  # fmt: skip
    apart = np.flatnonzero(edges.dismissed & suspect[edges.low] & suspect[edges.high])
    forest = _Forest(
        np.flatnonzero(suspect),
        zip(edges.low[apart].tolist(), edges.high[apart].tolist(), strict=True),
    )
    refused: dict[int, str] = {}
    for edge in inside[rank].tolist():
        reason = forest.join(
            int(edges.low[edge]),
            int(edges.high[edge]),
            None if edges.confirmed[edge] else rules.size_guard,
        )
        if reason:
            refused[edge] = reason
    label = component.copy()
    base = len(component)
    for account in np.flatnonzero(suspect).tolist():
        label[account] = base + forest.root(account)
    # Two halves may have been joined later by another way.
    return label, {
        edge: reason
        for edge, reason in refused.items()
        if label[edges.low[edge]] != label[edges.high[edge]]
    }


class _Forest:
    """Union–find that knows sizes and pairs which must stay apart."""

    def __init__(self, accounts: Ints, apart: Iterable[tuple[int, int]]) -> None:
        self.parent = {account: account for account in accounts.tolist()}
        self.size = dict.fromkeys(self.parent, 1)
        self.enemies: dict[int, set[int]] = {}
        for a, b in apart:
            self.enemies.setdefault(a, set()).add(b)
            self.enemies.setdefault(b, set()).add(a)

    def root(self, account: int) -> int:
        parent = self.parent
        while parent[account] != account:
            parent[account] = parent[parent[account]]
            account = parent[account]
        return account

    def join(self, a: int, b: int, size_guard: int | None) -> str | None:
        """Join two groups, or return why not."""
        a, b = self.root(a), self.root(b)
        if a == b:
            return None
        if any(self.root(enemy) == b for enemy in self.enemies.get(a, ())):
            return DISMISSED
        if size_guard is not None and self.size[a] + self.size[b] > size_guard:
            return SIZE
        # The lower index stays the root, so that the result hangs on nothing but the edges.
        a, b = min(a, b), max(a, b)
        self.parent[b] = a
        self.size[a] += self.size[b]
        for enemy in self.enemies.pop(b, set()):
            self.enemies.setdefault(a, set()).add(enemy)
            self.enemies.setdefault(self.root(enemy), set()).add(a)
        return None


def _number(label: Ints, min_size: int) -> Ints:
    """Return dense numbers in order of the lowest account; groups below the least size get -1."""
    _, first, inverse, count = np.unique(
        label, return_index=True, return_inverse=True, return_counts=True
    )
    big = count >= max(min_size, 2)
    order = np.flatnonzero(big)[np.argsort(first[big], kind="stable")]
    number = np.full(len(count), -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[inverse]
