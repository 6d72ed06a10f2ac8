"""Demo events: a month of a small town with cafés, flatmates, two rings, a bot and a fraudster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from riskops.links.verdicts import share_identifier
from riskops.models import AccountEvent, Dealing, EventKind, Identifier, Sighting
from riskops.models.scores import Cause
from riskops.scores.outcomes import record_outcome
from riskops.scores.recompute import recompute_touched, start_run, work_on
from riskops.services import EventInput, record_events
from systemadmin.foundation.plugins import DemoWorld
from systemadmin.models import User

SOURCE = "demo"
DAYS = 30
# Scored as it would have been scored then, so that histories have a shape.
SCORED_EVERY = timedelta(days=3)
BATCH = 1000
CAFES = ("198.51.100.10", "198.51.100.20", "198.51.100.30")
# Exits of a VPN service.
VPN = tuple(f"203.0.113.{100 + number}" for number in range(5))
RINGS = (7, 5)
KINDS_OF_A_DAY = (
    (EventKind.MESSAGE_SENT, 0.5),
    (EventKind.CONTENT_POSTED, 0.15),
    (EventKind.FOLLOW, 0.2),
    (EventKind.PURCHASE, 0.12),
    (EventKind.SALE, 0.08),
)


@dataclass(slots=True)
class Person:
    """A member with what they use."""

    user: User
    ip: str
    device: str
    wallet: str
    second_ip: str = ""
    eagerness: float = 0.4


@dataclass(slots=True)
class Town:
    """The world with its people and what they did."""

    world: DemoWorld
    people: list[Person]
    events: list[EventInput] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        return self.world.now - timedelta(days=DAYS)

    def moment(self, first_day: float = 0, last_day: float = DAYS) -> datetime:
        """Return some waking hour of a day counted from the start."""
        day = self.world.rng.uniform(first_day, last_day)
        found = self.start + timedelta(days=day)
        found = found.replace(hour=min(23, max(7, int(self.world.rng.gauss(17, 4)))))
        return min(found, self.world.now - timedelta(minutes=1))

    def add(self, person: Person, kind: EventKind, at: datetime, **fields: Any) -> None:
        at = max(at, person.user.date_joined)
        self.events.append(
            EventInput(kind, person.user.pk, at, f"demo-{len(self.events):06d}", **fields)
        )

    def login(self, person: Person, at: datetime, ip: str = "") -> None:
        country = person.user.country or "ES"
        self.add(
            person,
            EventKind.LOGIN_OK,
            at,
            ip=ip or person.ip,
            device=person.device,
            country=country,
        )


def seed(world: DemoWorld) -> None:
    """Record a month of events, score it as it went, and let staff judge some of it."""
    if len(world.members) < 60:
        return
    town = Town(world, [_person(world, i, user) for i, user in enumerate(world.members)])
    _arrivals(town)
    _flatmates(town)
    rings = _rings(town)
    for person in town.people:
        _daily_life(town, person)
    _cafes(town)
    # Newcomers have earned no trust yet, so what happens to them shows.
    newest = len(town.people) - sum(RINGS) - 1
    fraudster = _fraudster(town, town.people[newest])
    _brute_force(town, town.people[newest - 1])
    _bot(town, town.people[newest - 2])
    _record(town)
    _judge(world, fraudster, rings)


def purge_queryset_list() -> list[tuple[str, QuerySet[Any]]]:
    """Return identifiers that only demo accounts were seen with; all else hangs on the accounts."""
    seen = Sighting.objects.filter(identifier=OuterRef("pk"))
    dealt = Dealing.objects.filter(identifier=OuterRef("pk"))
    demo: Any = Exists(seen.filter(account__is_demo=True)) | Exists(
        dealt.filter(account__is_demo=True)
    )
    real: Any = Exists(seen.filter(account__is_demo=False)) | Exists(
        dealt.filter(account__is_demo=False)
    )
    # A failed sign-in or a stranger's wallet is named by events alone.
    named = AccountEvent.objects.filter(
        Q(ip=OuterRef("pk")) | Q(counterparty_wallet=OuterRef("pk")) | Q(device=OuterRef("pk"))
    )
    demo |= Exists(named.filter(account__is_demo=True))
    real |= Exists(named.filter(account__is_demo=False))
    return [("identifiers", Identifier.objects.filter(demo).exclude(real))]


def _person(world: DemoWorld, number: int, user: User) -> Person:
    rng = world.rng
    return Person(
        user=user,
        ip=f"10.{20 + number // 200}.{number % 200}.{rng.randrange(2, 250)}",
        device=f"demo-device-{number:04d}",
        wallet=f"0x{rng.getrandbits(160):040x}",
        second_ip=f"172.16.{rng.randrange(250)}.{rng.randrange(2, 250)}",
        eagerness=rng.choice((0.15, 0.3, 0.5, 0.9)),
    )


def _arrivals(town: Town) -> None:
    rng = town.world.rng
    for person in town.people:
        joined = person.user.date_joined
        town.add(person, EventKind.ACCOUNT_CREATED, joined, ip=person.ip, device=person.device)
        if person.user.verified_at:
            town.add(person, EventKind.ACCOUNT_VERIFIED, person.user.verified_at)
        if rng.random() < 0.3:
            at = joined + timedelta(days=rng.uniform(0, 20))
            if at < town.world.now:
                town.add(person, EventKind.TWO_FACTOR_ENABLED, at)
        if rng.random() < 0.4:
            at = max(joined, town.moment())
            town.add(person, EventKind.WALLET_CONNECTED, at, wallet=person.wallet)


def _flatmates(town: Town) -> None:
    """Homes with one connection and a device for each: linked weakly, and rightly so."""
    for home in range(8):
        first, *others = town.people[60 + 3 * home : 60 + 3 * home + 2 + home % 2]
        for other in others:
            other.ip = first.ip


def _rings(town: Town) -> list[list[Person]]:
    """Two operators behind many accounts: the newest ones, on few devices and wallets."""
    rings, end = [], len(town.people)
    for number, size in enumerate(RINGS):
        ring = town.people[end - size : end]
        end -= size
        for position, person in enumerate(ring):
            person.ip = f"192.0.2.{10 * (number + 1) + position % 2}"
            person.device = f"demo-ring-{number}-{position % 2}"
            person.wallet = f"0xring{number}{position % 3}"
            person.eagerness = 1.2
            at = max(person.user.date_joined, town.moment(22, DAYS))
            town.add(person, EventKind.WALLET_CONNECTED, at, wallet=person.wallet)
            if position:
                target = ring[0].wallet
                town.add(
                    person,
                    EventKind.TRANSFER,
                    min(at + timedelta(hours=3), town.world.now),
                    wallet=person.wallet,
                    counterparty_wallet=target if target != person.wallet else "0xringsink",
                    amount=town.world.rng.randrange(5_000, 60_000),
                    currency="EUR",
                )
        rings.append(ring)
    return rings


def _daily_life(town: Town, person: Person) -> None:
    rng = town.world.rng
    for day in range(DAYS):
        if town.start + timedelta(days=day) < person.user.date_joined - timedelta(days=1):
            continue
        if rng.random() > person.eagerness:
            continue
        away = rng.random() < 0.2
        at = town.moment(day, day + 1)
        town.login(person, at, ip=person.second_ip if away else "")
        for kind, chance in KINDS_OF_A_DAY:
            if rng.random() < chance:
                later = min(at + timedelta(minutes=rng.randrange(2, 90)), town.world.now)
                town.add(person, kind, later)


def _cafes(town: Town) -> None:
    rng = town.world.rng
    for cafe in CAFES:
        for guest in rng.sample(town.people, 26):
            for _visit in range(rng.randrange(1, 4)):
                town.login(guest, town.moment(), ip=cafe)


def _brute_force(town: Town, victim: Person) -> None:
    """Add failed sign-ins with many passwords from many addresses, this very morning."""
    for attempt in range(6):
        at = town.world.now - timedelta(hours=3, minutes=4 * attempt)
        town.add(victim, EventKind.LOGIN_FAILED, at, ip=f"203.0.113.{50 + attempt}")


def _bot(town: Town, person: Person) -> None:
    """Post every ninety seconds for an hour."""
    for number in range(45):
        at = town.world.now - timedelta(hours=5) + timedelta(seconds=90 * number)
        town.add(person, EventKind.CONTENT_POSTED, at, device=person.device)


def _fraudster(town: Town, person: Person) -> Person:
    """Make a fraudster: new wallets, many addresses, complaints."""
    for number in range(4):
        at = town.world.now - timedelta(hours=10 * (number + 1))
        town.add(person, EventKind.WALLET_CONNECTED, at, wallet=f"0xfraud{number}")
    for number in range(5):
        at = town.world.now - timedelta(hours=2 * number + 1)
        town.login(person, at, ip=VPN[number])
    for number in range(3):
        at = town.world.now - timedelta(hours=6, minutes=number)
        town.add(person, EventKind.LOGIN_FAILED, at, ip=VPN[0])
    for number in range(4):
        at = town.world.now - timedelta(days=3 * number + 1)
        town.add(person, EventKind.CONTENT_REPORTED, at)
        town.add(person, EventKind.DISPUTE_OPENED, at + timedelta(hours=2))
    return person


def _record(town: Town) -> None:
    """Take the events in as they happened, scoring now and then."""
    events = sorted(town.events, key=lambda event: (event.occurred_at, event.external_id))
    before = [event for event in events if event.occurred_at <= town.start]
    _batches(before)
    moment, rest = town.start, events[len(before) :]
    while moment < town.world.now:
        moment = min(moment + SCORED_EVERY, town.world.now)
        due = [event for event in rest if event.occurred_at <= moment]
        rest = rest[len(due) :]
        _batches(due)
        recompute_touched(at=moment, cause=Cause.EVENT)
    Identifier.objects.filter(kind="ip", value__in=VPN).update(listing="vpn")
    work_on(start_run(cause=Cause.SCHEDULE, at=town.world.now))


def _batches(events: list[EventInput]) -> None:
    for start in range(0, len(events), BATCH):
        result = record_events(events[start : start + BATCH], source=SOURCE)
        if result.refused:
            raise ValueError(f"demo event refused: {result.refused[0]}")


def _judge(world: DemoWorld, fraudster: Person, rings: list[list[Person]]) -> None:
    analyst = world.staff.get("risk_analyst")
    if analyst is None:
        return
    for cafe in _identifiers(CAFES[:2]):
        share_identifier(actor=analyst, identifier=cafe, reason="Café with open Wi-Fi")
    verdicts = (
        (fraudster, "confirmed_fraud", "Three buyers never got their parcel."),
        (rings[0][0], "confirmed_fraud", "Runs the accounts around it."),
        (rings[1][1], "false_positive", "A family of five, called them."),
    )
    for person, verdict, note in verdicts:
        record_outcome(actor=analyst, account=person.user, verdict=verdict, note=note)
    recompute_touched()


def _identifiers(values: tuple[str, ...]) -> Iterator[Identifier]:
    yield from Identifier.objects.filter(kind="ip", value__in=values).order_by("pk")
