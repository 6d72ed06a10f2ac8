"""Pairs as just calculated: columns for all of them, evidence only for those that are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskops.linking import KIND_CODES, KINDS, Links, PairRows
from riskops.querysets.evidence import ROLES, World
from riskops.scoring import Ints

# Evidence kept with a pair; the rest can be read from the sightings.
EVIDENCE_ROWS = 8

Evidence = list[list[Any]]
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair in database ids, the lower first."""

    low: int
    high: int
    bits: float
    probability: float
    strength: int
    may_merge: bool
    kinds: int
    digest: int
    evidence: Evidence


class FoundPairs:
    """The pairs of a slice that are strong enough to keep.

    Most of them are already stored as they are. A digest of all that a row would say tells so
    without building its evidence, which took longer than finding the pairs.
    """

    def __init__(self, world: World, rows: PairRows, links: Links, least: int) -> None:
        self._world, self._rows, self._links = world, rows, links
        strong = links.strength >= least
        self._pairs = np.flatnonzero(strong)
        order = np.lexsort((-links.row_bits, links.row_pair))
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

    def pair(self, number: int) -> Pair:
        """One pair as it is stored."""
        low, high = self.ends
        links, pair = self._links, self._pairs[number]
        return Pair(
            low=int(low[number]),
            high=int(high[number]),
            bits=round(float(links.bits[pair]), 2),
            probability=round(float(links.probability[pair]), 4),
            strength=int(links.strength[pair]),
            may_merge=bool(links.may_merge[pair]),
            kinds=int(self.kinds[number]),
            digest=int(self.digests[number]),
            evidence=self._evidence(number),
        )

    def keys(self, number: int) -> frozenset[int]:
        """Everything a pair shares that is not a mere subnet."""
        mine = self._order[self._starts[number] : self._ends[number]]
        real = mine[self._rows.kind[mine] != KIND_CODES["subnet"]]
        return frozenset(self._world.keys[self._rows.identifier[real]].tolist())

    def _evidence(self, number: int) -> Evidence:
        world, rows = self._world, self._rows
        start = self._starts[number]
        mine = self._order[start : min(self._ends[number], start + EVIDENCE_ROWS)]
        return [
            [
                KINDS[int(rows.kind[row])],
                int(world.keys[rows.identifier[row]]) // ROLES,
                int(world.known.accounts[rows.identifier[row]]),
                round(float(self._links.row_bits[row]), 2),
                round(float(rows.gap[row]), 1),
                int(rows.hits[row]),
            ]
            for row in mine.tolist()
        ]


def _mixed(*columns: np.ndarray) -> Words:
    """Columns of whole numbers hashed row by row into one, with the finaliser of SplitMix64.

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
