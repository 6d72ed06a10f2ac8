"""Keeping networks out: enforced, expiring, exempt, and never one's own."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.utils import timezone

from systemadmin.foundation.testing import problem
from systemadmin.models import BlockedNetwork
from systemadmin.services import change_settings
from systemadmin.services.blocked_networks import block_network, lift_expired

pytestmark = pytest.mark.django_db
URL = "/api/admin/blocked-ips"


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def block(operator, network="203.0.113.0/24", **fields):
    return operator.post(URL, {"network": network, "reason": "abuse", **fields})


def test_a_blocked_network_is_refused_and_others_are_not(operator, api):
    assert block(operator).status_code == 201
    problem(api.get("/api/auth/me", REMOTE_ADDR="203.0.113.9"), 403, "network_blocked")
    assert api.get("/admin/login/", REMOTE_ADDR="203.0.113.9").status_code == 403
    assert api.get("/api/health", REMOTE_ADDR="203.0.113.9").status_code == 200
    assert api.get("/admin/login/", REMOTE_ADDR="203.0.114.9").status_code == 200


def test_lifting_lets_it_in_and_keeps_history(operator, api):
    pk = block(operator).json()["id"]
    assert operator.delete(f"{URL}/{pk}").status_code == 204
    problem(api.get("/api/auth/me", REMOTE_ADDR="203.0.113.9"), 401)
    assert operator.get(f"{URL}/{pk}").json()["lifted_at"]
    problem(operator.delete(f"{URL}/{pk}"), 409, "already_lifted")
    assert block(operator).status_code == 201


def test_it_expires(operator, api):
    block_network(
        actor=None,
        network="203.0.113.7",
        reason="x",
        expires_at=timezone.now() + timedelta(seconds=60),
    )
    problem(api.get("/api/auth/me", REMOTE_ADDR="203.0.113.7"), 403)
    past = timezone.now() - timedelta(seconds=1)
    BlockedNetwork.objects.update(expires_at=past)
    assert lift_expired() == 1
    problem(api.get("/api/auth/me", REMOTE_ADDR="203.0.113.7"), 401)


@pytest.mark.parametrize(
    ("network", "code"),
    [("not-an-ip", "invalid"), ("0.0.0.0/0", "invalid"), ("::/0", "invalid")],
)
def test_what_is_no_network_is_named(operator, network, code):
    problem(block(operator, network), 400, code, field="network")


def test_twice_is_refused(operator):
    block(operator)
    problem(block(operator), 409, "already_blocked")


def test_one_cannot_lock_oneself_out(operator):
    change_settings(actor=None, values={"blocking.exempt": []})
    problem(block(operator, "127.0.0.0/8"), 409, "would_lock_you_out")


def test_exempt_networks_stay_open(operator):
    change_settings(actor=None, values={"blocking.exempt": ["198.51.100.0/24"]})
    problem(block(operator, "198.51.100.7"), 409, "network_is_exempt")
    wrong = operator.put("/api/admin/config", {"blocking.exempt": ["nowhere"]})
    problem(wrong, 400, field="blocking.exempt")


@pytest.mark.ratelimited
def test_a_flood_blocks_itself(api):
    cache.clear()
    change_settings(actor=None, values={"blocking.flood_per_minute": 100})
    # Standing still: a minute that ends in between would begin to count anew.
    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(102):
            response = api.get("/api/auth/me", REMOTE_ADDR="203.0.113.50")
    row = BlockedNetwork.objects.get()
    assert (row.network, row.is_automatic) == ("203.0.113.50/32", True)
    assert row.expires_at
    problem(response, 403, "network_blocked")


def test_admin_page(admin_client_for, superuser):
    browser = admin_client_for(superuser)
    add = "/admin/systemadmin/blockednetwork/add/"
    assert browser.get(add).status_code == 200
    data = {"network": "203.0.113.8", "reason": "x", "expires_at_0": "", "expires_at_1": ""}
    browser.post(add, data)
    assert BlockedNetwork.objects.get().created_by == superuser
    browser.post(add, {**data, "network": "nonsense"})
    assert BlockedNetwork.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "blocked"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/100", "2001:db8:1:2::/64"),
        ("2001:db8:1::/48", "2001:db8:1::/48"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("203.0.113.9", "203.0.113.9/32"),
    ],
)
def test_an_ipv6_address_is_blocked_with_its_network(operator, asked, blocked):
    assert block(operator, asked).json()["network"] == blocked


def test_a_blocked_ipv6_client_cannot_return_with_its_next_address(operator, api):
    block(operator, "2001:db8:1:2::1")
    problem(api.get("/api/auth/me", REMOTE_ADDR="2001:db8:1:2:ffff::7"), 403, "network_blocked")
    problem(api.get("/api/auth/me", REMOTE_ADDR="2001:db8:1:3::1"), 401)
    own = operator.post(
        URL, {"network": "2001:db8:9::1", "reason": "x"}, REMOTE_ADDR="2001:db8:9::2"
    )
    problem(own, 409, "would_lock_you_out")


def test_the_admin_tells_what_an_ipv6_address_became(admin_client_for, superuser):
    client = admin_client_for(superuser)
    path = "/admin/systemadmin/blockednetwork/add/"
    assert "stands for its /64" in client.get(path).content.decode()
    page = client.post(path, {"network": "2001:db8:1:2::1", "reason": "abuse"}, follow=True)
    assert "Blocked: 2001:db8:1:2::/64" in page.content.decode()
