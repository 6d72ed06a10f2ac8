"""The cache on Redis while the server is away: refused at once, tried again by one, back soon."""

import shutil
import threading
import time

import pytest
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from systemadmin.foundation import breaker, redis_cache
from systemadmin.foundation.queue import PausableBroker
from systemadmin.foundation.redis_cache import CacheAway, GuardedRedisCache, breaker_of
from systemadmin.tests.own_redis import OwnRedis

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")


@pytest.fixture
def server():
    server = OwnRedis()
    yield server
    server.resume()
    server.kill()


@pytest.fixture
def cache(server, monkeypatch):
    monkeypatch.setattr(redis_cache, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(breaker, "RETRY_SECONDS", 0.5)
    return GuardedRedisCache(server.url, {})


def wait_until_back(cache):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            cache.set("key", "back")
        except RedisError:
            time.sleep(0.05)
        else:
            assert cache.get("key") == "back"
            return
    raise AssertionError("the cache did not come back")


def test_the_queue_uses_no_cache():
    """Its state in Redis would log an error twice a second while Redis is away."""
    assert PausableBroker.get_cache() is None


def test_values_and_counters(cache):
    cache.set_many({"a": 1, "b": "two"})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": "two"}
    assert [cache.incr("a"), cache.add("a", 5), cache.get("missing")] == [2, False, None]
    with pytest.raises(ValueError, match="not found"):
        cache.incr("missing")
    assert not breaker_of(cache._servers[0]).is_open


@pytest.mark.parametrize("fault", ["hang", "kill"])
def test_after_one_failure_nobody_waits_and_it_comes_back(cache, server, fault):
    cache.set("key", 1)
    getattr(server, fault)()
    with pytest.raises(RedisError) as first:
        cache.get("key")
    assert not isinstance(first.value, CacheAway)
    for operation in (
        lambda: cache.get("key"),
        lambda: cache.incr("key"),
        lambda: cache.set_many({"key": 1}),
    ):
        with pytest.raises(CacheAway):
            operation()
    server.resume() if fault == "hang" else server.start()
    wait_until_back(cache)


def test_while_it_hangs_one_caller_at_a_time_tries_again(cache, server, monkeypatch):
    cache.set("key", 1)
    server.hang()
    with pytest.raises(RedisTimeoutError):
        cache.get("key")
    # The pause is over: of twenty callers one may try, the others are refused at once.
    monkeypatch.setattr(breaker_of(server.url), "_retry_at", 0.0)
    outcomes = []

    def call():
        try:
            GuardedRedisCache(server.url, {}).get("key")
        except RedisError as error:
            outcomes.append(type(error))

    callers = [threading.Thread(target=call) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert sorted(outcome.__name__ for outcome in outcomes) == ["CacheAway"] * 19 + ["TimeoutError"]
    server.resume()
    wait_until_back(cache)


def test_a_refused_command_is_no_sign_that_the_server_is_away(cache):
    cache.set("key", "text")
    with pytest.raises(RedisError, match="not an integer"):
        cache.incr("key")
    assert cache.get("key") == "text"
