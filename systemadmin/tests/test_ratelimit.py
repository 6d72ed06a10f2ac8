"""Rate limits as a caller meets them: figures, headers, refusals, and a store that fails."""

import re

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from systemadmin.foundation import ratelimit
from systemadmin.foundation.page_limits import PageRateLimitMiddleware
from systemadmin.foundation.parsing import parse_rate
from systemadmin.foundation.ratelimit import (
    ClassThrottle,
    RateLimitUnavailable,
    hit,
    ratelimit_headers,
    store_failures,
)
from systemadmin.foundation.testing import problem

pytestmark = [pytest.mark.django_db, pytest.mark.ratelimited]


@pytest.fixture(autouse=True)
def fresh(monkeypatch, clear_cache):
    rates = {"ratelimit.read": "3/m", "ratelimit.write": "2/m", "ratelimit.login": "1/m"}
    rates["ratelimit.backup"] = rates["ratelimit.restore"] = "5/h"
    rates["ratelimit.second_factor"] = "2/m"
    rates["blocking.flood_per_minute"] = 1000
    monkeypatch.setattr(ratelimit, "setting", rates.__getitem__)
    store_failures.forget()
    yield rates
    store_failures.forget()


@pytest.fixture
def dead_store(monkeypatch):
    def fail(*args, **kwargs):
        raise RedisConnectionError("Error 111 connecting to cache:6379")

    monkeypatch.setattr(cache._connections["default"], "add", fail)


def request_from(ip="192.0.2.1", method="get"):
    return getattr(RequestFactory(), method)("/", REMOTE_ADDR=ip)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100/m", (100, 60)),
        ("5/s", (5, 1)),
        ("10/5m", (10, 300)),
        ("1/2h", (1, 7200)),
        ("9/d", (9, 86400)),
    ],
)
def test_rates_are_read(text, expected):
    assert parse_rate(text) == expected


@pytest.mark.parametrize(
    "text", ["", "100", "m/100", "0/m", "-1/m", "100/0m", "100/x", "1.5/m", "100/m;", None, 5]
)
def test_what_is_not_a_rate_is_refused(text):
    with pytest.raises(ValueError, match="rate such as"):
        parse_rate(text)


def test_the_limit_is_per_class_and_per_caller():
    def passed(name, user_id=None, ip="192.0.2.1", times=6):
        usages = [hit(request_from(ip), name, user_id=user_id) for _ in range(times)]
        return sum(not usage.is_exceeded for usage in usages)

    assert passed("read") == 3
    assert passed("read", ip="192.0.2.2") == 3
    assert passed("read", user_id=1) == 3, "a user is not held to the address"
    assert passed("write") == 2, "another class has a budget of its own"


def test_an_ipv6_client_cannot_change_its_address_within_its_network():
    addresses = [f"2001:db8:1:2::{number}" for number in range(6)]
    usages = [hit(request_from(address), "read", user_id=None) for address in addresses]
    assert [usage.is_exceeded for usage in usages] == [False] * 3 + [True] * 3


def test_figures_change_without_a_restart(fresh):
    for _ in range(4):
        last = hit(request_from(), "read", user_id=1)
    assert last.is_exceeded
    fresh["ratelimit.read"] = "100/m"
    assert not hit(request_from(), "read", user_id=1).is_exceeded


def test_the_headers_are_those_of_the_draft():
    request = request_from()
    assert ratelimit_headers(request) == {}
    usage = hit(request, "read", user_id=1)
    ratelimit.remember(request, usage)
    headers = ratelimit_headers(request)
    assert headers["RateLimit-Policy"] == '"read";q=3;w=60'
    assert re.fullmatch(r'"read";r=2;t=\d+', headers["RateLimit"])


def test_an_endpoint_answers_429_with_everything_a_client_needs(api, settings):
    answers = [
        api.post("/api/auth/login", {"username": "ana", "password": "wrong"}) for _ in range(2)
    ]
    assert answers[0].status_code == 401
    assert answers[0]["RateLimit-Policy"] == '"login";q=1;w=60'
    problem(answers[1], 429, "throttled")
    assert 1 <= int(answers[1]["Retry-After"]) <= 61
    assert answers[1]["RateLimit"].startswith('"login";r=0;t=')


def test_health_is_never_limited(api):
    assert [api.get("/api/health").status_code for _ in range(6)] == [200] * 6


def test_a_wrong_token_is_counted_by_address(api):
    api.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    statuses = [api.get("/api/auth/me").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


def test_a_user_who_cannot_be_authenticated_has_no_id():
    class Broken:
        @property
        def user(self):
            raise AuthenticationFailed

    assert ratelimit._user_id(Broken()) is None


def test_forged_addresses_buy_nothing(api):
    for number in range(5):
        last = api.post(
            "/api/auth/login",
            {"username": "ana", "password": "x"},
            HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, <script>",
        )
    assert last.status_code == 429


def test_pages_are_limited_too(client):
    answers = [client.get("/admin/login/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"read";q=3;w=60'
    assert answers[3]["Retry-After"]
    assert "then send it again" in answers[3].content.decode()


def test_the_login_form_of_the_admin_counts_as_sign_in(client):
    first = client.post("/admin/login/", {"username": "ana", "password": "wrong"})
    second = client.post("/admin/login/", {"username": "ana", "password": "wrong"})
    assert first["RateLimit-Policy"].startswith('"login"')
    assert (first.status_code, second.status_code) == (200, 429)


def test_limits_can_be_switched_off(settings):
    settings.RATELIMIT_ENABLE = False
    assert hit(request_from(), "read", user_id=1) is None


class View:
    def __init__(self, name):
        self.name = name

    def rate_class_for(self, request):
        return self.name


@pytest.mark.usefixtures("dead_store")
class TestDeadStore:
    @pytest.mark.parametrize("name", ["read", "write"])
    def test_reads_and_writes_pass_uncounted(self, name):
        assert ClassThrottle().allow_request(Request(request_from()), View(name))
        assert ratelimit.store_failure_count() == 1

    @pytest.mark.parametrize("name", ["login", "second_factor", "backup", "restore"])
    def test_login_backup_and_restore_are_refused(self, name):
        with pytest.raises(RateLimitUnavailable) as refusal:
            ClassThrottle().allow_request(Request(request_from()), View(name))
        assert refusal.value.status == 503
        assert refusal.value.code == "rate_limit_unavailable"
        assert refusal.value.headers["Retry-After"] == "5"

    def test_no_answer_is_a_500(self, api, client):
        login = api.post("/api/auth/login", {"username": "ana", "password": "x"})
        problem(login, 503, "rate_limit_unavailable")
        assert api.get("/api/auth/me").status_code == 401
        assert client.get("/admin/login/").status_code == 200
        form = client.post("/admin/login/", {"username": "ana", "password": "x"})
        assert form.status_code == 503

    def test_it_is_logged_once_and_counted_every_time(self, caplog):
        for _ in range(5):
            hit(request_from(), "read", user_id=1)
        assert len([r for r in caplog.records if r.name == "atalaya.ratelimit"]) == 1
        assert store_failures.counts["read"] == 5

    def test_a_dead_store_is_not_asked_by_every_request(self, monkeypatch):
        asked = []
        usage_of = ratelimit.get_usage
        monkeypatch.setattr(
            ratelimit, "get_usage", lambda *a, **k: asked.append(1) or usage_of(*a, **k)
        )
        for _ in range(5):
            hit(request_from(), "read", user_id=1)
        assert len(asked) == 1
        store_failures.forget()
        hit(request_from(), "read", user_id=1)
        assert len(asked) == 2


def test_an_api_page_gets_a_problem(fresh):
    fresh["ratelimit.read"] = "1/m"
    middleware = PageRateLimitMiddleware(lambda request: HttpResponse())
    request = RequestFactory().get("/api/plain", REMOTE_ADDR="192.0.2.9")
    request.resolver_match = None
    assert middleware.process_view(request, lambda r: None, (), {}) is None
    refused = middleware.process_view(request, lambda r: None, (), {})
    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
