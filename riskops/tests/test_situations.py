"""Everyday situations among 3,000 strangers: who is linked, how strongly, and who never is."""

import random
from datetime import timedelta

import pytest
from django.db import transaction

from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all, detect_for
from riskops.models import (
    AccountCluster,
    ClusterMember,
    PendingLink,
    RelatedAccount,
)
from riskops.tests.factories import event, record
from systemadmin.models import User

pytestmark = pytest.mark.django_db

STRANGERS = 3_000


@pytest.fixture(scope="module")
def strangers(django_db_setup, django_db_blocker):
    """3,000 accounts with a home and a device each, once for the module."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        rng = random.Random(20)
        names = [f"stranger-{number}" for number in range(STRANGERS)]
        User.objects.bulk_create([User(username=name, password="!") for name in names])
        pks = list(
            User.objects.filter(username__startswith="stranger-").values_list("pk", flat=True)
        )
        events = []
        for pk in pks:
            home, device = address(rng), f"own-{pk}"
            events += [event(pk, ip=home, device=device, ago=timedelta(hours=h)) for h in range(4)]
        for start in range(0, len(events), 3000):
            record(*events[start : start + 3000])
        PendingLink.objects.all().delete()
        yield pks
        transaction.set_rollback(True)
        atomic.__exit__(None, None, None)


@pytest.fixture
def world(strangers, db):
    return World()


def address(rng):
    r = rng.randrange
    return f"{r(11, 95)}.{r(256)}.{r(256)}.{r(1, 255)}"


class World:
    """Accounts beside the strangers, and what detection makes of them."""

    def __init__(self):
        self.rng = random.Random(5)
        self.made = []
        self.events = []

    def account(self):
        name = f"made-{len(self.made)}"
        self.made.append(User.objects.create(username=name, password="!").pk)
        return self.made[-1]

    def accounts(self, number):
        return [self.account() for _ in range(number)]

    def ip(self):
        return address(self.rng)

    def use(self, account, times=6, **where):
        for _ in range(times):
            ago = timedelta(days=self.rng.uniform(0, 20))
            self.events.append(event(account, ago=ago, **where))

    def settle(self, account):
        """A home and a device of its own, used often."""
        self.use(account, times=12, ip=self.ip(), device=f"own-{account}")

    def strength(self, a, b):
        self.find()
        low, high = sorted((a, b))
        row = RelatedAccount.objects.filter(low_id=low, high_id=high).first()
        return row.strength if row else 0

    def find(self):
        for start in range(0, len(self.events), 3000):
            record(*self.events[start : start + 3000])
        self.events = []
        detect_for(self.made)
        rebuild_clusters()

    def clusters(self):
        found = {}
        for account, cluster in ClusterMember.objects.values_list("account_id", "cluster_id"):
            found.setdefault(cluster, set()).add(account)
        return list(found.values())

    def assert_strangers(self):
        self.find()
        loud = RelatedAccount.objects.filter(strength__gte=50)
        assert [(r.low_id, r.high_id, r.strength, r.evidence) for r in loud[:3]] == []
        assert self.clusters() == []


def v6(rng, net="2a02:1:2:3"):
    return f"{net}:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}:1"


def test_one_home_with_privacy_addresses_is_one_place(world):
    a, b = world.accounts(2)
    for account in (a, b):
        for _ in range(30):
            world.use(account, times=1, ip=v6(world.rng))
    assert world.strength(a, b) >= 50


@pytest.mark.parametrize("with_device", [False, True])
@pytest.mark.parametrize("what", ["ip", "device"])
def test_own_addresses_and_devices_do_not_dilute(world, what, with_device):
    strengths = []
    for number in (0, 3, 10, 30, 100):
        a, b = world.accounts(2)
        home = world.ip()
        shared = {"ip": home, **({"device": f"shared-{number}"} if with_device else {})}
        for account in (a, b):
            world.use(account, **shared)
            for one in range(number):
                own = {"ip": world.ip()} if what == "ip" else {"device": f"d{account}-{one}"}
                world.use(account, times=3, **({"ip": home} | own))
        strengths.append(world.strength(a, b))
    assert strengths[0] >= 50
    assert min(strengths) >= 0.8 * strengths[0]


def test_a_shared_device_is_not_diluted_by_addresses(world):
    strengths = []
    for number in (0, 3, 10, 30, 100):
        a, b = world.accounts(2)
        for account in (a, b):
            world.use(account, device=f"pc-{number}")
            for _ in range(number):
                world.use(account, times=3, ip=world.ip())
        strengths.append(world.strength(a, b))
    assert min(strengths) >= 0.8 * strengths[0]


@pytest.mark.parametrize("with_device", [False, True])
def test_a_friend_who_logged_in_once(world, with_device):
    host, friend = world.accounts(2)
    home = world.ip()
    world.use(host, times=20, ip=home, device="host-device")
    world.settle(friend)
    device = {"device": "host-device"} if with_device else {}
    world.use(friend, times=1, ip=home, **device)
    world.assert_strangers()


def test_a_dorm_of_five(world):
    door = world.ip()
    for account in world.accounts(5):
        world.use(account, times=15, ip=door, device=f"phone-{account}")
    world.assert_strangers()


@pytest.mark.parametrize("with_device", [False, True])
@pytest.mark.parametrize("number", [10, 40, 120])
def test_a_pool_of_a_carrier(world, number, with_device):
    pool = [f"91.200.7.{host}" for host in range(1, 9)]
    for account in world.accounts(number):
        device = {"device": f"phone-{account}"} if with_device else {}
        for _ in range(12):
            world.use(account, times=1, ip=world.rng.choice(pool), **device)
    world.assert_strangers()


@pytest.mark.parametrize("computers", [0, 12])
@pytest.mark.parametrize("number", [40, 300])
def test_a_school(world, number, computers):
    doors = [world.ip(), world.ip()]
    for account in world.accounts(number):
        world.settle(account)
        for one in range(6):
            pc = {"device": f"lab-{world.rng.randrange(computers)}"} if computers else {}
            world.use(account, times=1, ip=doors[one % 2], **pc)
    world.assert_strangers()


@pytest.mark.parametrize("number", [2, 5, 20, 45, 200])
def test_people_with_one_fingerprint(world, number):
    for account in world.accounts(number):
        world.use(account, times=8, ip=world.ip(), device="privacy-browser")
    world.assert_strangers()


JUNK = [
    *({"ip": ip} for ip in ("10.0.0.7", "192.168.1.4", "172.16.3.3", "127.0.0.1", "0.0.0.0")),
    *({"ip": ip} for ip in ("100.64.1.9", "169.254.3.3", "::1", "::", "fe80::1", "fd00::5")),
    *({"device": text} for text in ("unknown", "Unknown", "null", "undefined", "n/a", "none")),
    {"device": "00000000-0000-0000-0000-000000000000"},
    {"device": "ffffffff-ffff-ffff-ffff-ffffffffffff"},
    {"device": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"},
    {"wallet": "0x0000000000000000000000000000000000000000"},
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: "-".join(junk.values())[:40])
def test_junk_is_no_evidence(world, junk):
    for account in world.accounts(4):
        world.use(account, times=8, **junk)
    world.assert_strangers()


RINGS = {
    "one home": lambda w, _account, home: {"ip": home},
    "rotating": lambda w, _account, _home: {"ip": w.ip()},
}


@pytest.mark.parametrize("how", RINGS)
@pytest.mark.parametrize("devices", [1, 3])
@pytest.mark.parametrize("size", [10, 48, 60, 120])
def test_a_ring_is_found_and_named(world, size, devices, how):
    ring, home = world.accounts(size), world.ip()
    for account in ring:
        for device in range(devices):
            for _ in range(6):
                world.use(
                    account, times=1, device=f"ring-{device}", **RINGS[how](world, account, home)
                )
    world.find()
    assert world.clusters() == [set(ring)]
    cluster = AccountCluster.objects.get()
    assert [count for _, count in cluster.hubs] == [size] * devices


def test_detection_of_everyone_finds_the_same(world):
    ring = world.accounts(60)
    for account in ring:
        world.use(account, device="ring")
        world.use(account, ip=v6(world.rng))
    fingerprint = world.accounts(20)
    for account in fingerprint:
        world.use(account, times=8, ip=world.ip(), device="Browser 7")
    world.find()
    rows = ("low_id", "high_id", "strength", "evidence", "digest")
    made = RelatedAccount.objects.filter(low_id__in=world.made).order_by("low_id", "high_id")
    near = list(made.values_list(*rows))
    RelatedAccount.objects.all().delete()
    detect_all()
    assert near
    assert near == list(made.values_list(*rows))
