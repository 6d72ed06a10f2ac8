"""The rules that turn sightings into evidence: its kinds and how much each may weigh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class KindRule:
    """How much one kind of identifier may weigh."""

    match: float  # m: how often two accounts of one owner share one of these
    family: str  # evidence of one family is never simply added up
    crowd_cap: int  # behind more accounts than this it weighs nothing
    half_life: float | None = None  # days between two uses that halve it
    # Its most bits, behind two accounts; among n they are divided by 1 + fall·log2(n − 1).
    ceiling: float | None = None
    fall: float = 0.6
    # Whether a single sighting may be an accident (a guest, a borrowed phone).
    needs_habit: bool = True


# A kind's place is its code in the columns below. `home` is a /64 of IPv6,
# which is one line of one household whatever addresses its devices make up in it.
KINDS = ("ip", "subnet", "device", "wallet", "transfer", "counterparty", "home")
KIND_CODES = {name: code for code, name in enumerate(KINDS)}
IP, HOME, DEVICE = KIND_CODES["ip"], KIND_CODES["home"], KIND_CODES["device"]
TRANSFER = KIND_CODES["transfer"]
COUNTERPARTY = KIND_CODES["counterparty"]

# The ceilings come from sign-ups of a web shop (half of its outcomes): of accounts that share a
# device with one other and no address .25 are fraud, of those that share both .91, alone .05.
DEFAULT_KINDS: Mapping[str, KindRule] = {
    "ip": KindRule(0.30, "network", 50, 14.0, ceiling=4.8),
    "subnet": KindRule(0.35, "network", 50, 14.0, ceiling=1.8),
    "device": KindRule(0.60, "device", 50, 90.0, ceiling=3.8),
    "wallet": KindRule(0.80, "wallet", 50, ceiling=7.5, fall=0.15, needs_habit=False),
    # A transfer has two ends whatever else the wallet does: its cap is that of a hub.
    "transfer": KindRule(0.80, "transfer", 1000, needs_habit=False),
    "counterparty": KindRule(0.03, "counterparty", 300, needs_habit=False),
    "home": KindRule(0.35, "network", 50, 14.0, ceiling=4.8),
}
# Where accounts come from; all others are what they have or whom they deal with.
PLACES = [KIND_CODES[kind] for kind in ("ip", "subnet", "home")]
MONEY_FAMILIES = ("transfer", "counterparty")

# Raw bits and the calibrated bits they are worth, straight between the points, never falling.
Curve = tuple[tuple[float, float], ...]
AS_THEY_ARE: Curve = ((0.0, 0.0), (60.0, 60.0))
# What each kind of evidence is worth. Money: 700,176 pairs of wallets of a public airdrop, 25,237
# of them with a reported group at one end (all groups given). Right of pairs below 1 bit: .01,
# from 1 to 2: .36, from 2 to 3: .79, above: .75 to .88.
SHIPPED_CURVES: Mapping[str, Curve] = {
    "network": AS_THEY_ARE,
    "device": AS_THEY_ARE,
    "wallet": AS_THEY_ARE,
    "money": ((0.0, 0.0), (1.0, 1.0), (1.5, 3.2), (2.2, 6.3), (5.0, 7.1), (10.0, 7.5), (30.0, 9.0)),
}
CALIBRATED = tuple(SHIPPED_CURVES)


@dataclass(frozen=True, slots=True)
class LinkRules:
    """The rules in force: kinds of evidence, curves and thresholds."""

    kinds: Mapping[str, KindRule] = field(default_factory=lambda: dict(DEFAULT_KINDS))
    curves: Mapping[str, Curve] = field(default_factory=lambda: dict(SHIPPED_CURVES))
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
    # A device behind accounts of which none has a place of its own is the device of a ring. It is
    # worth so many bits, fewer among many accounts, even behind more accounts than a crowd.
    ring_bits: float = 7.5
    ring_fall: float = 0.25
    ring_cap: int = 500
    # From this share of accounts without a place of their own a device is taken for a ring's.
    ring_share: float = 0.5

    def column(self, name: str) -> Floats:
        """Return one number of every kind, in the order of KINDS; no half-life is infinite."""
        values = [getattr(self.kinds[kind], name) for kind in KINDS]
        return np.array([np.inf if value is None else value for value in values], dtype=float)

    def families(self) -> tuple[Ints, list[str]]:
        """Return the family of every kind as a number, and their names."""
        names = [self.kinds[kind].family for kind in KINDS]
        order = list(dict.fromkeys(names))
        return np.array([order.index(value) for value in names], dtype=np.int64), order

    def with_kind(self, kind: str, **changes: float | int | None) -> LinkRules:
        """Return the same rules with one kind changed."""
        return replace(self, kinds={**self.kinds, kind: replace(self.kinds[kind], **changes)})  # type: ignore[arg-type]
