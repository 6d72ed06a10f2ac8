"""What accounts have to themselves: a place, a device. It tells a ring from a crowd.

People who share a device or its fingerprint have a home each; the accounts of a ring log in from
what they share, or from addresses that are never used again.
"""

from __future__ import annotations

import numpy as np

from riskops.links.linking import Sightings, sums
from riskops.links.rules import DEVICE, HOME, IP, Bools, Floats, Ints

# An identifier is an account's own if no other account was seen with it, at least this many times.
OWN_HITS = 3
# It must also have this share of the account's sightings. Changing addresses of a VPN have less.
OWN_SHARE = 0.4


def of_identifiers(
    own: Sightings, in_home: Bools, net: Sightings, crowd: Ints, accounts: int
) -> tuple[Floats, Floats]:
    """For each identifier the share of its accounts with a place, and with a device, of their own.

    Of identifiers that are no device nobody asks; they have 0.
    """
    # Addresses made up within a /64 are nobody's place; the /64 may be.
    lines = own.only(~in_home)
    places = _owners(lines, IP, crowd, accounts) | _owners(net, HOME, crowd, accounts)
    devices = _owners(own, DEVICE, crowd, accounts)
    seen = own.only(own.kind == DEVICE)
    number = np.maximum(sums(seen.identifier, np.ones(len(seen.account)), len(crowd)), 1.0)
    settled = sums(seen.identifier, places[seen.account].astype(np.float64), len(crowd)) / number
    equipped = sums(seen.identifier, devices[seen.account].astype(np.float64), len(crowd)) / number
    return settled, equipped


def _owners(seen: Sightings, kind: int, crowd: Ints, accounts: int) -> Bools:
    """Return which accounts have one of a kind to themselves."""
    mine = seen.only(seen.kind == kind)
    total = sums(mine.account, mine.hits.astype(np.float64), accounts)
    alone = (crowd[mine.identifier] == 1) & (mine.hits >= OWN_HITS)
    alone &= mine.hits >= OWN_SHARE * total[mine.account]
    found = np.zeros(accounts, dtype=np.bool_)
    found[mine.account[alone]] = True
    return found
