"""How unlike an account's past a login is, after Freeman et al. (NDSS 2016).

For each feature the question is p(x) / p(x | this account): how likely anybody would show it
against how likely its owner would. The account's own frequencies are smoothed with everybody's
as one imaginary login, which is the paper's back-off for values never seen; an address backs
off to its subnet. The logarithms add up to bits of surprise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# An address on a list of proxies has been seen in attacks far more often than in homes.
LISTED_BITS = 2.0
# A new device at a new address is how a takeover looks; a new phone comes home first, and a trip is
# made with the old one. Together they surprise more than each for itself.
TAKEOVER_BITS = 3.0
# A familiar feature speaks for the owner, but must not outweigh two strange ones.
LEAST_BITS = -3.0
# A strange address in a familiar subnet is most of all a new lease of the same line.
SUBNET_BITS = 1.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of some logins: how often the account and how often everybody showed it."""

    own: Ints  # logins of the account with this value before; 0 when it is new
    share: Floats  # share of all logins with this value
    known: Bools  # whether the login tells the feature at all


def feature_bits(feature: Feature, logins: Ints) -> Floats:
    """log2 of p(x) / p(x | account), smoothed with one imaginary login of anybody."""
    share = np.clip(feature.share, 1e-9, 1.0)
    mine = (feature.own + share) / (logins + 1)
    bits = np.log2(share / mine)
    return np.where(feature.known, np.maximum(bits, LEAST_BITS), 0.0)


def least_logins(bits: float, told: int) -> int:
    """Return the fewest logins of an account with which one of them may hold so many bits.

    Of `told` features each holds at most log2(logins + 1), as for a value nobody showed before
    of which everybody's share is one; a list adds its own.
    """
    most = LISTED_BITS + (TAKEOVER_BITS if told > 1 else 0.0)
    return max(math.ceil(2 ** ((bits - most) / told) * (1 - 1e-9)) - 1, 0)


def surprise(
    address: Feature,
    device: Feature,
    country: Feature,
    *,
    logins: Ints,
    subnet_known: Bools,
    listed: Bools,
) -> Floats:
    """Return the bits of surprise of each login."""
    place = feature_bits(address, logins)
    place = np.where((address.own == 0) & subnet_known, np.minimum(place, SUBNET_BITS), place)
    total = place + feature_bits(device, logins) + feature_bits(country, logins)
    strange = address.known & (address.own == 0) & ~subnet_known
    strange &= device.known & (device.own == 0)
    total = total + np.where(strange, TAKEOVER_BITS, 0.0)
    return total + np.where(listed, LISTED_BITS, 0.0)
