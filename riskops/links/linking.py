"""Bits of evidence that two accounts have one owner: pure arithmetic over parallel columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Links at least this strong (of 100) are likely: they form clusters and count in the score.
LIKELY = 50


@dataclass(frozen=True, slots=True)
class KindRule:
    """How much one kind of identifier may say."""

    match: float  # m: how often two accounts of one owner share one of these
    family: str  # evidence of one family is never simply added up
    profile: str  # the activity over which the overlap of two accounts is measured
    crowd_cap: int  # behind more accounts than this it says nothing
    half_life: float | None = None  # days between two uses that halve it


# The order is the code under which a kind travels in the columns below.
KINDS = ("ip", "subnet", "device", "wallet", "transfer", "counterparty")
KIND_CODES = {name: code for code, name in enumerate(KINDS)}
TRANSFER = KIND_CODES["transfer"]
COUNTERPARTY = KIND_CODES["counterparty"]

DEFAULT_KINDS: Mapping[str, KindRule] = {
    "ip": KindRule(0.30, "network", "network", 50, 14.0),
    "subnet": KindRule(0.35, "network", "network", 50, 14.0),
    "device": KindRule(0.60, "device", "device", 50, 90.0),
    "wallet": KindRule(0.80, "wallet", "wallet", 50),
    # A transfer has two ends whatever else the wallet does: its cap is that of a hub.
    "transfer": KindRule(0.80, "transfer", "money", 1000),
    "counterparty": KindRule(0.03, "counterparty", "money", 300),
}


@dataclass(frozen=True, slots=True)
class LinkRules:
    """Everything that turns sightings into strengths."""

    kinds: Mapping[str, KindRule] = field(default_factory=lambda: dict(DEFAULT_KINDS))
    # log2 of the odds that two accounts that share anything at all have one owner.
    prior_bits: float = -4.0
    # What the second, fourth, eighth… member of a family adds, in bits each.
    family_gain: float = 0.15
    # An identifier behind at most this many accounts may carry a merge alone.
    exclusive: int = 3
    # So may a closed wallet: an outside one that deals with almost nobody but our accounts…
    closed_share: float = 0.9
    # …if they are at least so many, for two people may well have a friend in common.
    closed_accounts: int = 4
    # What sharing a closed wallet is worth, in place of the match of its kind.
    closed_match: float = 0.9

    def column(self, name: str) -> Floats:
        """One number of every kind, in the order of KINDS; no half-life is infinite."""
        values = [getattr(self.kinds[kind], name) for kind in KINDS]
        return np.array([np.inf if value is None else value for value in values], dtype=float)

    def groups(self, name: str) -> tuple[Ints, int]:
        """The family or profile of every kind as a number, and how many there are."""
        names = [getattr(self.kinds[kind], name) for kind in KINDS]
        order = list(dict.fromkeys(names))
        return np.array([order.index(value) for value in names], dtype=np.int64), len(order)

    def with_kind(self, kind: str, **changes: float | int | None) -> LinkRules:
        """The same rules with one kind changed."""
        return replace(self, kinds={**self.kinds, kind: replace(self.kinds[kind], **changes)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What is known of each identifier, by its dense index."""

    accounts: Ints  # distinct accounts seen with it
    shared: Bools  # marked as a public place
    # Everyone it ever dealt with, accounts or not; 0 where nobody knows.
    reach: Ints

    @classmethod
    def of(
        cls, accounts: Ints, shared: Bools | None = None, reach: Ints | None = None
    ) -> Identifiers:
        size = len(accounts)
        return cls(
            accounts=np.asarray(accounts, dtype=np.int64),
            shared=np.zeros(size, dtype=np.bool_) if shared is None else shared,
            reach=np.zeros(size, dtype=np.int64) if reach is None else reach,
        )

    def crowd(self) -> Ints:
        """How many know it, counting those outside where they are known."""
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


@dataclass(frozen=True, slots=True)
class Links:
    """One row a pair, with the rows of evidence it rests on."""

    low: Ints
    high: Ints
    bits: Floats  # with the prior
    probability: Floats
    strength: Ints
    identifiers: Ints  # how many say something
    families: Ints
    may_merge: Bools  # one exclusive identifier, or two independent ones
    row_pair: Ints  # for each row of evidence, the pair it belongs to
    row_bits: Floats  # its bits before families and overlap
    overlap: Floats  # the largest of the pair's profiles


# -- the weight of one identifier ---------------------------------------------


def rarity(crowd: Ints, population: int) -> Floats:
    """log2(N/n): the weight of an identifier in an account's profile."""
    return np.maximum(np.log2(max(population, 2) / np.maximum(crowd, 1)), 0.0)


def chance_bits(match: Floats, crowd: Ints, population: int) -> Floats:
    """log2(m/u) where u is the chance that a stranger is seen there too; never negative."""
    others = np.maximum(crowd - 1, 1) / max(population - 1, 1)
    return np.maximum(np.log2(match / others), 0.0)


def nearness(gap: Floats, half_life: Floats) -> Floats:
    """Halves with every half-life that lies between the two uses."""
    return np.exp2(-np.maximum(gap, 0.0) / half_life)


def confidence(hits: Ints) -> Floats:
    """A single sighting may be an accident; a hundred are not."""
    return np.clip(0.4 + 0.3 * np.log10(1.0 + hits), 0.0, 1.0)


def row_bits(rows: PairRows, known: Identifiers, population: int, rules: LinkRules) -> Floats:
    """The bits of each row of evidence, zero where the identifier is crowded or public."""
    match = rules.column("match")[rows.kind]
    match = np.where(closed_wallets(rows, known, rules), rules.closed_match, match)
    bits = chance_bits(match, known.crowd()[rows.identifier], population)
    bits *= nearness(rows.gap, rules.column("half_life")[rows.kind])
    bits *= confidence(rows.hits)
    return np.where(crowded(rows.identifier, rows.kind, known, rules), 0.0, bits)


def closed_wallets(rows: PairRows, known: Identifiers, rules: LinkRules) -> Bools:
    """Whether the evidence is a wallet that serves these accounts and hardly anyone else."""
    number = known.accounts[rows.identifier]
    reach = known.reach[rows.identifier]
    enough = (rows.kind == COUNTERPARTY) & (number >= rules.closed_accounts)
    return np.asarray(enough & (reach > 0) & (number >= rules.closed_share * reach), dtype=np.bool_)


def crowded(identifier: Ints, kind: Ints, known: Identifiers, rules: LinkRules) -> Bools:
    """Whether an identifier says nothing: behind too many accounts, or a public place."""
    too_many = known.accounts[identifier] > rules.column("crowd_cap")[kind]
    return np.asarray(too_many | known.shared[identifier], dtype=np.bool_)


# -- pairs --------------------------------------------------------------------


def join_sightings(parts: list[Sightings]) -> Sightings:
    """One table out of several."""
    names = Sightings.__dataclass_fields__
    return Sightings(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


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
    """How many follow each sighting behind the same identifier and of the same kind."""
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
    """Every two accounts behind the same identifier, within one kind, out of sorted sightings.

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
    """Rows of evidence out of the sightings at `left` and at `right`."""
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
    """Weights added up by cell; a float even where there is nothing to add."""
    return np.bincount(cell, weights=weights, minlength=size).astype(np.float64)


def profile_norms(
    parts: Sequence[Sightings],
    known: Identifiers,
    population: int,
    accounts: int,
    rules: LinkRules,
) -> Floats:
    """The length of each account's rarity-weighted profile: accounts × profiles."""
    profile_of, number = rules.groups("profile")
    weight = rarity(known.crowd(), population) ** 2
    squares = np.zeros(accounts * number)
    for seen in parts:
        cell = seen.account * number + profile_of[seen.kind]
        squares += sums(cell, weight[seen.identifier], accounts * number)
    return np.sqrt(squares.reshape(accounts, number))


def money_profile(owners: Sightings, dealings: Sightings) -> Sightings:
    """The wallets an account has or deals with: the profile of transfers, each wallet once."""
    account = np.concatenate([owners.account, dealings.account])
    identifier = np.concatenate([owners.identifier, dealings.identifier])
    both = np.unique(np.stack([account, identifier]), axis=1)
    size = both.shape[1]
    zeros = np.zeros(size)
    kind = np.full(size, COUNTERPARTY, dtype=np.int64)
    return Sightings(both[0], both[1], kind, zeros, zeros, np.ones(size, dtype=np.int64))


# -- pairs out of rows --------------------------------------------------------


def combine(
    rows: PairRows,
    known: Identifiers,
    norms: Floats,
    population: int,
    rules: LinkRules,
    verdict_bits: Floats | None = None,
) -> Links:
    """Adds the evidence of each pair up: families, overlap, prior, probability."""
    accounts = len(norms)
    key = rows.low * accounts + rows.high
    pairs, pair = np.unique(key, return_inverse=True)
    bits = row_bits(rows, known, population, rules)
    low, high = pairs // max(accounts, 1), pairs % max(accounts, 1)
    overlap = _overlaps(rows, pair, low, high, known, norms, population, rules)
    family_bits = _families(rows, pair, len(pairs), bits, rules)
    damped = family_bits * np.sqrt(overlap[:, _profile_of_family(rules)])
    total = damped.sum(axis=1) + rules.prior_bits
    probability = 1.0 / (1.0 + np.exp2(-np.clip(total, -60, 60)))
    return Links(
        low=low,
        high=high,
        bits=total,
        probability=probability,
        strength=np.floor(100 * probability + 0.5).astype(np.int64),
        identifiers=sums(pair, bits > 0, len(pairs)).astype(np.int64),
        families=(family_bits > 0).sum(axis=1),
        may_merge=_may_merge(rows, pair, len(pairs), bits, known, rules),
        row_pair=pair,
        row_bits=bits,
        overlap=overlap.max(axis=1, initial=0.0),
    )


def _profile_of_family(rules: LinkRules) -> Ints:
    families, number = rules.groups("family")
    profiles, _ = rules.groups("profile")
    found = np.zeros(number, dtype=np.int64)
    found[families] = profiles
    return found


def _overlaps(
    rows: PairRows,
    pair: Ints,
    low: Ints,
    high: Ints,
    known: Identifiers,
    norms: Floats,
    population: int,
    rules: LinkRules,
) -> Floats:
    """The cosine of the two accounts in every profile: pairs × profiles."""
    profile_of, number = rules.groups("profile")
    profile = profile_of[rows.kind]
    cell = (pair * number + profile) * (len(known.accounts) + 1) + rows.identifier
    # A wallet may count as transfer and as counterparty: in the profile it is one wallet.
    once, where = np.unique(cell, return_index=True)
    weight = rarity(known.crowd()[rows.identifier[where]], population) ** 2
    dots = sums(once // (len(known.accounts) + 1), weight, len(low) * number)
    dots = dots.reshape(len(low), number)
    lengths = norms[low] * norms[high]
    cosine = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    return np.minimum(cosine, 1.0)


def _families(rows: PairRows, pair: Ints, pairs: int, bits: Floats, rules: LinkRules) -> Floats:
    """Best + gain·log2(members) in each family: pairs × families."""
    family_of, number = rules.groups("family")
    cell = pair * number + family_of[rows.kind]
    best = np.zeros(pairs * number)
    np.maximum.at(best, cell, bits)
    members = sums(cell, bits > 0, pairs * number)
    gained = best + rules.family_gain * np.log2(np.maximum(members, 1.0))
    return np.where(best > 0, gained, 0.0).reshape(pairs, number)


def _may_merge(
    rows: PairRows, pair: Ints, pairs: int, bits: Floats, known: Identifiers, rules: LinkRules
) -> Bools:
    """One exclusive identifier or two independent ones; an IP and its subnet are not."""
    number = known.accounts[rows.identifier]
    says = bits > 0
    personal = (rows.kind != COUNTERPARTY) & (number <= rules.exclusive)
    closed = closed_wallets(rows, known, rules)
    alone = says & (personal | closed | (rows.kind == TRANSFER))
    exclusive = sums(pair, alone, pairs) > 0
    # Within the network two addresses of one subnet are one place: count by family there.
    independent = says & (rows.kind != KIND_CODES["subnet"])
    return exclusive | (sums(pair, independent, pairs) >= 2)
