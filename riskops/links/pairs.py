"""Pairs as just calculated: columns for all of them, evidence only for those that are written."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from riskops.bulk import Column
from riskops.links.combining import Links
from riskops.links.evidence import ROLES, LinkInput
from riskops.links.linking import PairRows
from riskops.links.rules import KIND_CODES, KINDS
from riskops.scores.scoring import Ints

# Evidence kept with a pair; the rest can be read from the sightings.
EVIDENCE_ROWS = 8

# Parts of the network; the addresses in them are what is shared.
NETS = [KIND_CODES["subnet"], KIND_CODES["home"]]

Words = NDArray[np.uint64]


class FoundPairs:
    """The pairs of a slice that are strong enough to keep.

    Most of them are already stored as they are. A digest of all that a row would say tells so
    without building its evidence, which took longer than finding the pairs.
    """

    def __init__(self, world: LinkInput, rows: PairRows, links: Links, least: int) -> None:
        self._world, self._rows, self._links = world, rows, links
        strong = links.strength >= least
        self._pairs = np.flatnonzero(strong)
        order = _strongest_first(links)
        # Every pair has a row, so that these are the rows of each, one after another.
        self._order = order[strong[links.row_pair[order]]]
        pair = links.row_pair[self._order]
        self._starts = np.searchsorted(pair, self._pairs, side="left")
        self._ends = np.append(self._starts[1:], len(self._order))

    def __len__(self) -> int:
        return len(self._pairs)

    @cached_property
    def ends(self) -> tuple[Ints, Ints]:
        """The lower and the higher account of each pair."""
        a = self._world.accounts[self._links.low[self._pairs]]
        b = self._world.accounts[self._links.high[self._pairs]]
        return np.minimum(a, b), np.maximum(a, b)

    @property
    def strengths(self) -> Ints:
        """The strength of each pair."""
        return self._links.strength[self._pairs]

    @cached_property
    def kinds(self) -> Ints:
        if not len(self):
            return np.empty(0, dtype=np.int64)
        flags = np.int64(1) << self._rows.kind[self._order]
        return np.bitwise_or.reduceat(flags, self._starts)

    @cached_property
    def digests(self) -> Ints:
        """For each pair a number that changes with anything its row says."""
        if not len(self):
            return np.empty(0, dtype=np.int64)
        rows, at, links = self._rows, self._order, self._links
        identifier = rows.identifier[at]
        place = np.arange(len(at)) - np.repeat(self._starts, self._ends - self._starts)
        mixed = _mixed(
            place,
            rows.kind[at],
            self._world.keys[identifier] // ROLES,
            self._world.known.accounts[identifier],
            np.rint(links.row_bits[at] * 100),
            np.rint(rows.gap[at] * 10),
            rows.hits[at],
        )
        mixed[place >= EVIDENCE_ROWS] = 0
        pairs = self._pairs
        whole = _mixed(
            np.add.reduceat(mixed, self._starts).view(np.int64),
            np.rint(links.bits[pairs] * 100),
            np.rint(links.probability[pairs] * 10_000),
            links.strength[pairs],
            links.may_merge[pairs],
            self.kinds,
        )
        return whole.view(np.int64)

    def columns(self, chosen: Ints) -> list[Column]:
        """Return the rows of some pairs as they are stored."""
        low, high = self.ends
        links, pairs = self._links, self._pairs[chosen]
        return [
            Column("low_id", "bigint", low[chosen].tolist()),
            Column("high_id", "bigint", high[chosen].tolist()),
            Column("bits", "float8", np.round(links.bits[pairs], 2).tolist()),
            Column("probability", "float8", np.round(links.probability[pairs], 4).tolist()),
            Column("strength", "smallint", links.strength[pairs].tolist()),
            Column("may_merge", "boolean", links.may_merge[pairs].tolist()),
            Column("kinds", "smallint", self.kinds[chosen].tolist()),
            Column("evidence", "jsonb", self._evidence(chosen)),
            Column("digest", "bigint", self.digests[chosen].tolist()),
        ]

    def keys(self, number: int) -> frozenset[int]:
        """Return everything a pair shares that is not a mere subnet."""
        mine = self._order[self._starts[number] : self._ends[number]]
        real = mine[~np.isin(self._rows.kind[mine], NETS)]
        return frozenset(self._world.keys[self._rows.identifier[real]].tolist())

    def _evidence(self, chosen: Ints) -> list[str]:
        """Return the strongest rows of evidence of some pairs, as JSON."""
        world, rows = self._world, self._rows
        starts = self._starts[chosen]
        numbers = np.minimum(self._ends[chosen] - starts, EVIDENCE_ROWS)
        offset = np.arange(numbers.sum()) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        at = self._order[np.repeat(starts, numbers) + offset]
        identifier = rows.identifier[at]
        texts = [
            f'["{KINDS[kind]}",{pk},{accounts},{bits!r},{gap!r},{hits}]'
            for kind, pk, accounts, bits, gap, hits in zip(
                rows.kind[at].tolist(),
                (world.keys[identifier] // ROLES).tolist(),
                world.known.accounts[identifier].tolist(),
                np.round(self._links.row_bits[at], 2).tolist(),
                np.round(rows.gap[at], 1).tolist(),
                rows.hits[at].tolist(),
                strict=True,
            )
        ]
        edges = np.cumsum(numbers).tolist()
        return (
            [
                f"[{','.join(texts[low:high])}]"
                for low, high in zip([0, *edges[:-1]], edges, strict=True)
            ]
            if edges
            else []
        )


def _strongest_first(links: Links) -> Ints:
    """Return rows of evidence by pair, the strongest first."""
    order = np.argsort(links.row_pair, kind="stable")
    pair = links.row_pair[order]
    same = pair[1:] == pair[:-1]
    several = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    # Most pairs rest on one row; only the rows of the others are sorted twice.
    mine = order[several]
    order[several] = mine[np.lexsort((-links.row_bits[mine], links.row_pair[mine]))]
    return order


def _mixed(*columns: np.ndarray) -> Words:
    """Return columns of whole numbers hashed row by row into one, with the finaliser of SplitMix64.

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        mixed ^= column.astype(np.int64).view(np.uint64)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed
