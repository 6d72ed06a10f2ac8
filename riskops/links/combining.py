"""Pairs of accounts out of rows of evidence: families, overlap, calibration, probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskops.links.linking import (
    Identifiers,
    PairRows,
    closed_wallets,
    rarity,
    ring_devices,
    row_bits,
    sums,
)
from riskops.links.rules import (
    CALIBRATED,
    COUNTERPARTY,
    KINDS,
    MONEY_FAMILIES,
    PLACES,
    TRANSFER,
    Bools,
    Curve,
    Floats,
    Ints,
    LinkRules,
)


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
    row_bits: Floats  # its part of the pair's bits: with the prior they add up to `bits`
    overlap: Floats  # the cosine of the two accounts' dealings, 1 where they share none
    raw: Floats  # pairs × CALIBRATED: bits of each kind of evidence before calibration


def combine(
    rows: PairRows, known: Identifiers, norms: Floats, population: int, rules: LinkRules
) -> Links:
    """Add the evidence of each pair up: families, overlap, calibration, prior, probability."""
    accounts = len(norms)
    key = rows.low * accounts + rows.high
    pairs, pair = np.unique(key, return_inverse=True)
    said = row_bits(rows, pair, known, population, rules)
    low, high = pairs // max(accounts, 1), pairs % max(accounts, 1)
    overlap = _overlaps(rows, pair, low, high, known, norms, population)
    families = _families(rows, pair, len(pairs), said, rules)
    raw = _raw(families, overlap, rules)
    bits = np.column_stack(
        [worth(raw[:, place], rules.curves[name]) for place, name in enumerate(CALIBRATED)]
    )
    total = bits.sum(axis=1) + rules.prior_bits
    probability = 1.0 / (1.0 + np.exp2(-np.clip(total, -60, 60)))
    certain = raw.sum(axis=1) + rules.prior_bits >= 0
    return Links(
        low=low,
        high=high,
        bits=total,
        probability=probability,
        strength=np.floor(100 * probability + 0.5).astype(np.int64),
        identifiers=sums(pair, said > 0, len(pairs)).astype(np.int64),
        families=(families > 0).sum(axis=1),
        may_merge=certain & _may_merge(rows, pair, len(pairs), said, known, rules),
        row_pair=pair,
        row_bits=_parts(rows, pair, said, bits, rules),
        overlap=overlap,
        raw=raw,
    )


def worth(raw: Floats, curve: Curve) -> Floats:
    """Return calibrated bits of raw ones."""
    xs, ys = zip(*curve, strict=True)
    return np.interp(raw, xs, ys)


def _calibrated_of_kind(rules: LinkRules) -> Ints:
    """Return the place in CALIBRATED of every kind."""
    names = [rules.kinds[kind].family for kind in KINDS]
    found = ["money" if name in MONEY_FAMILIES else name for name in names]
    return np.array([CALIBRATED.index(name) for name in found], dtype=np.int64)


def _raw(families: Floats, overlap: Floats, rules: LinkRules) -> Floats:
    """Return bits by kind of evidence (pairs × CALIBRATED), money by how alike all dealings are."""
    _, names = rules.families()
    raw = np.zeros((len(families), len(CALIBRATED)))
    for place, name in enumerate(names):
        if name in MONEY_FAMILIES:
            raw[:, CALIBRATED.index("money")] += families[:, place] * np.sqrt(overlap)
        else:
            raw[:, CALIBRATED.index(name)] += families[:, place]
    return raw


def _parts(rows: PairRows, pair: Ints, said: Floats, bits: Floats, rules: LinkRules) -> Floats:
    """Return the part of each row in the bits of its kind of evidence, by what it says itself."""
    group = pair * len(CALIBRATED) + _calibrated_of_kind(rules)[rows.kind]
    whole = sums(group, said, bits.size)[group]
    return np.divide(said * bits.ravel()[group], whole, out=np.zeros(len(said)), where=whole > 0)


def _overlaps(
    rows: PairRows,
    pair: Ints,
    low: Ints,
    high: Ints,
    known: Identifiers,
    norms: Floats,
    population: int,
) -> Floats:
    """Return the cosine of the two accounts' dealings, 1 for pairs without any in common."""
    money = np.flatnonzero((rows.kind == TRANSFER) | (rows.kind == COUNTERPARTY))
    cell = pair[money] * (len(known.accounts) + 1) + rows.identifier[money]
    # A wallet may count as transfer and as counterparty: among the dealings it is one wallet.
    once, where = np.unique(cell, return_index=True)
    weight = rarity(known.crowd()[rows.identifier[money[where]]], population) ** 2
    dots = sums(once // (len(known.accounts) + 1), weight, len(low))
    lengths = norms[low] * norms[high]
    cosine = np.divide(dots, lengths, out=np.ones_like(dots), where=(lengths > 0) & (dots > 0))
    return np.minimum(cosine, 1.0)


def _families(rows: PairRows, pair: Ints, pairs: int, bits: Floats, rules: LinkRules) -> Floats:
    """Return best + gain·log2(members) in each family: pairs × families."""
    family_of, names = rules.families()
    number = len(names)
    cell = pair * number + family_of[rows.kind]
    best = np.zeros(pairs * number)
    np.maximum.at(best, cell, bits)
    members = sums(cell, bits > 0, pairs * number)
    gained = best + rules.family_gain * np.log2(np.maximum(members, 1.0))
    return np.where(best > 0, gained, 0.0).reshape(pairs, number)


def _may_merge(
    rows: PairRows, pair: Ints, pairs: int, bits: Floats, known: Identifiers, rules: LinkRules
) -> Bools:
    """One exclusive identifier, a ring's device, or two independent ones; never places alone.

    Flatmates share a place and nothing else.
    """
    number = known.accounts[rows.identifier]
    says = bits > 0
    place = np.isin(rows.kind, PLACES)
    personal = (rows.kind != COUNTERPARTY) & (number <= rules.exclusive)
    closed = closed_wallets(rows, known, rules)
    ring = ring_devices(rows.identifier, rows.kind, known, rules)
    alone = says & ~place & (personal | closed | ring | (rows.kind == TRANSFER))
    elsewhere = sums(pair, says & ~place, pairs)
    independent = elsewhere + (sums(pair, says & place, pairs) > 0)
    return (sums(pair, alone, pairs) > 0) | ((elsewhere > 0) & (independent >= 2))
