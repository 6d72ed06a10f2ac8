"""Small worlds whose owners are known, to see whether the linker finds them out."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from riskops.tests.factories import NOW, event, record
from systemadmin.models import User


@dataclass
class KnownWorld:
    """Accounts with their true owner, and the crowds that must glue nobody."""

    owner: dict[int, str] = field(default_factory=dict)
    crowds: dict[str, set[int]] = field(default_factory=dict)
    # Groups of accounts by what they are: "flatmates", "ring by device", …
    groups: dict[str, list[list[int]]] = field(default_factory=dict)

    def same(self, a, b):
        return self.owner[a] == self.owner[b]

    def true_pairs(self):
        accounts = sorted(self.owner)
        return {
            (a, b) for i, a in enumerate(accounts) for b in accounts[i + 1 :] if self.same(a, b)
        }


class Builder:
    """Puts people, their devices and the places they meet into the database."""

    def __init__(self, seed=1):
        self.rng = random.Random(seed)
        self.world = KnownWorld()
        self.events = []
        self.number = 0

    def account(self, owner):
        self.number += 1
        user = User.objects.create(username=f"w{self.number}-{self.rng.random()}")
        self.world.owner[user.pk] = owner
        return user.pk

    def login(self, account, ip, device=None, times=6, days=30):
        for _ in range(times):
            ago = timedelta(days=self.rng.uniform(0, days))
            self.events.append(event(account, "login_ok", ago=ago, ip=ip, device=device))

    def transfer(self, account, wallet, other, times=3):
        for _ in range(times):
            ago = timedelta(days=self.rng.uniform(0, 30))
            self.events.append(
                event(account, "transfer", ago=ago, wallet=wallet, counterparty_wallet=other)
            )

    def ip(self):
        r = self.rng.randrange
        return f"{r(11, 220)}.{r(256)}.{r(256)}.{r(1, 255)}"

    def device(self):
        return f"device-{self.rng.getrandbits(48):x}"

    def wallet(self):
        return f"0x{self.rng.getrandbits(160):040x}"

    def person(self):
        """Someone with one account, a home and a device."""
        account = self.account(f"person-{self.number}")
        self.login(account, self.ip(), self.device())
        return account

    def people(self, count):
        return [self.person() for _ in range(count)]

    def crowd(self, name, count, *, ip=None, wallet=None, accounts=None):
        """Strangers who meet at one address or at one exchange."""
        accounts = accounts or self.people(count)
        for account in accounts:
            if ip:
                self.login(account, ip, times=self.rng.randint(1, 8))
            if wallet:
                self.transfer(account, self.wallet(), wallet)
        self.world.crowds[name] = set(accounts)
        return accounts

    def flatmates(self, count=2):
        """Different people behind one home address, each with a device."""
        ip = self.ip()
        return self._group("flatmates", [self._at_home(ip) for _ in range(count)])

    def family(self, count=3):
        """People behind one home address who also take the tablet in the kitchen now and then."""
        ip, tablet = self.ip(), self.device()
        accounts = [self._at_home(ip) for _ in range(count)]
        for account in accounts:
            self.login(account, ip, tablet, times=2)
        return self._group("family", accounts)

    def _at_home(self, ip):
        account = self.account(f"person-{self.number}")
        self.login(account, ip, self.device(), times=15)
        return account

    def _group(self, name, accounts):
        self.world.groups.setdefault(name, []).append(accounts)
        return accounts

    def ring(self, size, *, how="device"):
        """One owner of several accounts, careless in one way."""
        owner = f"ring-{self.number}"
        accounts = [self.account(owner) for _ in range(size)]
        devices = [self.device() for _ in range(max(1, size // 3))]
        home, funder = self.ip(), self.wallet()
        wallets = [self.wallet() for _ in accounts]
        for position, account in enumerate(accounts):
            device = self.rng.choice(devices)
            if how == "device":
                self.login(account, home, device)
            elif how == "rotating":
                for _ in range(12):
                    self.login(account, self.ip(), devices[0], times=1)
            elif how == "wallet":
                self.login(account, self.ip(), self.device())
                self.events.append(event(account, "wallet_connected", wallet=funder))
                self.events += [
                    event(account, "transfer", wallet=funder, ago=timedelta(days=d))
                    for d in range(5)
                ]
            elif how == "transfers":
                self.login(account, self.ip(), self.device())
                other = wallets[position - 1] if position else self.wallet()
                self.transfer(account, wallets[position], other, times=8)
        return self._group(f"ring, {how}", accounts)

    def done(self):
        for start in range(0, len(self.events), 2000):
            record(*self.events[start : start + 2000])
        return self.world


def town(seed=1, strangers=150):
    """A bit of everything: places full of strangers, households, and rings that hide."""
    build = Builder(seed)
    build.people(strangers)
    build.crowd("café", 30, ip=build.ip())
    build.crowd("campus", 80, ip=build.ip())
    build.crowd("cgnat", 120, ip=build.ip())
    build.crowd("vpn", 60, ip=build.ip())
    build.crowd("exchange", 70, wallet=build.wallet())
    for _ in range(10):
        build.flatmates(2)
    for _ in range(4):
        build.flatmates(4)
    for size in (2, 2, 3, 4, 6, 9, 14, 20):
        for how in ("device", "rotating", "wallet", "transfers"):
            build.ring(size, how=how)
    return build.done()


__all__ = ["NOW", "Builder", "KnownWorld", "town"]
