"""Bits of evidence that two accounts have one owner: pure arithmetic over parallel columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskops.links.rules import (
    COUNTERPARTY,
    DEFAULT_KINDS,
    DEVICE,
    KINDS,
    TRANSFER,
    Bools,
    Floats,
    Ints,
    LinkRules,
)

# Links at least this strong (of 100) are likely: they form clusters and count in the score.
LIKELY = 50


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What is known of each identifier, by its dense index."""

    accounts: Ints  # distinct accounts seen with it
    shared: Bools  # marked as a public place
    # Everyone it ever dealt with, accounts or not; 0 where nobody knows.
    reach: Ints
    # The share of its accounts that have a place of their own, and a device of their own.
    settled: Floats
    equipped: Floats

    @classmethod
    def of(
        cls,
        accounts: Ints,
        shared: Bools | None = None,
        reach: Ints | None = None,
        settled: Floats | None = None,
        equipped: Floats | None = None,
    ) -> Identifiers:
        size = len(accounts)
        return cls(
            accounts=np.asarray(accounts, dtype=np.int64),
            shared=np.zeros(size, dtype=np.bool_) if shared is None else shared,
            reach=np.zeros(size, dtype=np.int64) if reach is None else reach,
            settled=np.zeros(size) if settled is None else settled,
            equipped=np.zeros(size) if equipped is None else equipped,
        )

    def crowd(self) -> Ints:
        """Return how many know it, counting those outside where they are known."""
        return np.maximum(self.accounts, self.reach)


@dataclass(frozen=True, slots=True)
class Sightings:
    """An account was seen with an identifier as this kind: parallel columns."""

    account: Ints
    identifier: Ints
    kind: Ints
    first: Floats  # days
    last: Floats
    hits: Ints

    def only(self, keep: Bools | Ints | slice) -> Sightings:
        return Sightings(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class PairRows:
    """Two accounts behind one identifier, the lower index first: parallel columns."""

    low: Ints
    high: Ints
    identifier: Ints
    kind: Ints
    gap: Floats  # days between the two intervals of use
    hits: Ints  # the smaller of the two counts

    def __len__(self) -> int:
        return len(self.low)

    @classmethod
    def concatenate(cls, parts: list[PairRows]) -> PairRows:
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


# -- the weight of one identifier ---------------------------------------------


def rarity(crowd: Ints, population: int) -> Floats:
    """log2(N/n): the weight of an identifier in an account's profile."""
    return np.maximum(np.log2(max(population, 2) / np.maximum(crowd, 1)), 0.0)


def chance_bits(match: Floats, crowd: Ints, population: int) -> Floats:
    """log2(m/u) where u is the chance that a stranger is seen there too; never negative."""
    others = np.maximum(crowd - 1, 1) / max(population - 1, 1)
    return np.maximum(np.log2(match / others), 0.0)


def nearness(gap: Floats, half_life: Floats) -> Floats:
    """Return a weight that halves with every half-life between the two uses."""
    return np.exp2(-np.maximum(gap, 0.0) / half_life)


def confidence(hits: Ints) -> Floats:
    """Return the weight of sightings: one may be an accident, from the fourth on it is a habit."""
    return np.clip(0.25 + 0.45 * np.log2(np.maximum(hits, 1)), 0.0, 1.0)


def row_bits(
    rows: PairRows, pair: Ints, known: Identifiers, population: int, rules: LinkRules
) -> Floats:
    """Return the raw bits of each row of evidence, zero for a crowded or public identifier."""
    match = rules.column("match")[rows.kind]
    match = np.where(closed_wallets(rows, known, rules), rules.closed_match, match)
    bits = chance_bits(match, known.crowd()[rows.identifier], population)
    others = np.log2(np.maximum(known.crowd()[rows.identifier] - 1, 1))
    bits = np.minimum(bits, most_bits(rows.kind, others, rules))
    bits = ring_bits(rows, pair, bits, others, known, rules)
    bits *= nearness(rows.gap, rules.column("half_life")[rows.kind])
    habit = rules.column("needs_habit")[rows.kind] > 0
    bits *= np.where(habit, confidence(rows.hits), 1.0)
    return np.where(crowded(rows.identifier, rows.kind, known, rules), 0.0, bits)


def most_bits(kind: Ints, others: Floats, rules: LinkRules) -> Floats:
    """Return the most that evidence of a kind may say, less the more accounts share it."""
    shipped = np.array([DEFAULT_KINDS[name].match for name in KINDS])
    # What staff set for the match moves the ceiling with it.
    ceiling = rules.column("ceiling") + np.log2(rules.column("match") / shipped)
    return np.maximum(ceiling, 0.0)[kind] / (1.0 + rules.column("fall")[kind] * others)


def ring_bits(
    rows: PairRows, pair: Ints, bits: Floats, others: Floats, known: Identifiers, rules: LinkRules
) -> Floats:
    """Return the bits of each row, more for the devices of a ring.

    Strangers who share a device (a fingerprint, a library) have a home each; the accounts of a ring
    have none. Two devices in common tell a ring where its accounts have no device of their own.
    """
    device = rows.kind == DEVICE
    several = sums(pair, device, int(pair.max(initial=-1)) + 1)[pair] >= 2
    settled = known.settled[rows.identifier]
    settled = np.where(several, np.minimum(settled, known.equipped[rows.identifier]), settled)
    more = np.maximum(rules.ring_bits - rules.ring_fall * others - bits, 0.0) * (1.0 - settled)
    return bits + np.where(device, more, 0.0)


def closed_wallets(rows: PairRows, known: Identifiers, rules: LinkRules) -> Bools:
    """Return whether the evidence is a wallet that serves these accounts and hardly anyone else."""
    number = known.accounts[rows.identifier]
    reach = known.reach[rows.identifier]
    enough = (rows.kind == COUNTERPARTY) & (number >= rules.closed_accounts)
    return np.asarray(enough & (reach > 0) & (number >= rules.closed_share * reach), dtype=np.bool_)


def crowded(identifier: Ints, kind: Ints, known: Identifiers, rules: LinkRules) -> Bools:
    """Return whether an identifier says nothing: behind too many accounts, or a public place."""
    number = known.accounts[identifier]
    too_many = number > rules.column("crowd_cap")[kind]
    ring = ring_devices(identifier, kind, known, rules) & (number <= rules.ring_cap)
    return np.asarray((too_many & ~ring) | known.shared[identifier], dtype=np.bool_)


def ring_devices(identifier: Ints, kind: Ints, known: Identifiers, rules: LinkRules) -> Bools:
    """Return whether it is a device most of whose accounts have no place of their own."""
    return np.asarray((kind == DEVICE) & (known.settled[identifier] < rules.ring_share))


# -- pairs --------------------------------------------------------------------


def sort_sightings(sightings: Sightings) -> Sightings:
    """In the order that `expand_pairs` wants: kind, identifier, account."""
    identifiers = int(sightings.identifier.max(initial=0)) + 1
    accounts = int(sightings.account.max(initial=0)) + 1
    if len(KINDS) * identifiers * accounts < 2**62:
        # One number to sort by takes a third of the time of three.
        key = (sightings.kind * identifiers + sightings.identifier) * accounts + sightings.account
        return sightings.only(np.argsort(key, kind="stable"))
    order = np.lexsort((sightings.account, sightings.identifier, sightings.kind))
    return sightings.only(order)


def partners_after(seen: Sightings) -> Ints:
    """Return how many follow each sighting behind the same identifier and of the same kind."""
    size = len(seen.account)
    changed = (np.diff(seen.identifier) != 0) | (np.diff(seen.kind) != 0)
    starts = np.flatnonzero(np.concatenate(([True], changed))) if size else np.arange(0)
    sizes = np.diff(np.append(starts, size))
    # Row i of a group of s is paired with the s-1-i rows after it.
    position = np.arange(size) - np.repeat(starts, sizes)
    return np.repeat(sizes, sizes) - 1 - position


def expand_pairs(
    seen: Sightings, lows: Bools | None = None, partners: Ints | None = None
) -> PairRows:
    """Return every two accounts behind the same identifier, within a kind, out of sorted sightings.

    `lows` marks the accounts whose pairs with higher ones are wanted, so that a large world
    can be paired in slices; `partners` is then `partners_after`, calculated once.
    """
    if partners is None:
        partners = partners_after(seen)
    chosen = np.flatnonzero(partners if lows is None else lows[seen.account] & (partners > 0))
    number = partners[chosen]
    left = np.repeat(chosen, number)
    offset = np.arange(len(left)) - np.repeat(np.cumsum(number) - number, number)
    return pair_up(seen, left, left + 1 + offset)


def pair_up(seen: Sightings, left: Ints, right: Ints) -> PairRows:
    """Return rows of evidence out of the sightings at `left` and at `right`."""
    a, b = seen.account[left], seen.account[right]
    keep = a != b
    left, right, a, b = left[keep], right[keep], a[keep], b[keep]
    gap = np.maximum(seen.first[left], seen.first[right])
    gap = gap - np.minimum(seen.last[left], seen.last[right])
    return PairRows(
        low=np.minimum(a, b),
        high=np.maximum(a, b),
        identifier=seen.identifier[left],
        kind=seen.kind[left],
        gap=np.maximum(gap, 0.0),
        hits=np.minimum(seen.hits[left], seen.hits[right]),
    )


def transfer_pairs(owners: Sightings, dealings: Sightings) -> PairRows:
    """Account and account, where one moved money to or from a wallet of the other."""
    order = np.argsort(owners.identifier, kind="stable")
    wallets = owners.identifier[order]
    start = np.searchsorted(wallets, dealings.identifier, side="left")
    number = np.searchsorted(wallets, dealings.identifier, side="right") - start
    dealing = np.repeat(np.arange(len(dealings.account)), number)
    offset = np.arange(len(dealing)) - np.repeat(np.cumsum(number) - number, number)
    owner = order[np.repeat(start, number) + offset]
    a, b = owners.account[owner], dealings.account[dealing]
    keep = a != b
    a, b, dealing = a[keep], b[keep], dealing[keep]
    return PairRows(
        low=np.minimum(a, b),
        high=np.maximum(a, b),
        identifier=dealings.identifier[dealing],
        kind=np.full(len(a), TRANSFER, dtype=np.int64),
        gap=np.zeros(len(a)),
        hits=dealings.hits[dealing],
    )


# -- profiles -----------------------------------------------------------------


def sums(cell: Ints, weights: Floats | Bools, size: int) -> Floats:
    """Return weights added up by cell; a float even where there is nothing to add."""
    return np.bincount(cell, weights=weights, minlength=size).astype(np.float64)


def profile_norms(
    dealt: Sightings, known: Identifiers, population: int, accounts: int, rules: LinkRules
) -> Floats:
    """Return the length of each account's rarity-weighted dealings, by account.

    What is crowded cannot be shared, so it does not enter: one more wallet in common could
    otherwise lower the overlap.
    """
    quiet = dealt.only(~crowded(dealt.identifier, dealt.kind, known, rules))
    weight = rarity(known.crowd(), population) ** 2
    return np.sqrt(sums(quiet.account, weight[quiet.identifier], accounts))


def money_profile(owners: Sightings, dealings: Sightings) -> Sightings:
    """Return the wallets an account has or deals with, each once, as its profile of transfers."""
    account = np.concatenate([owners.account, dealings.account])
    identifier = np.concatenate([owners.identifier, dealings.identifier])
    both = np.unique(np.stack([account, identifier]), axis=1)
    size = both.shape[1]
    zeros = np.zeros(size)
    kind = np.full(size, COUNTERPARTY, dtype=np.int64)
    return Sightings(both[0], both[1], kind, zeros, zeros, np.ones(size, dtype=np.int64))
