"""The database cache: Django's contract, with exact counters and no effect on transactions."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache as default_cache
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from systemadmin.foundation.cache import ExactDatabaseCache, make_table_cheap

TABLE = "cache_under_test"


@pytest.fixture
def cache(db, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "systemadmin.foundation.cache.ExactDatabaseCache",
            "LOCATION": TABLE,
            "OPTIONS": {"MAX_ENTRIES": 20},
        }
    }
    call_command("createcachetable")
    assert isinstance(default_cache._connections["default"], ExactDatabaseCache)
    default_cache.clear()
    return default_cache


def later(**delta):
    return time_machine.travel(timezone.now() + timedelta(**delta), tick=False)


@pytest.mark.parametrize(
    "value", [0, 5, -3, 10**15, True, False, None, 1.5, "text", "12345", b"x", [1], {"a": (1, 2)}]
)
def test_a_value_comes_back_as_it_was(cache, value):
    cache.set("key", value)
    found = cache.get("key", "missing")
    assert found == value
    assert type(found) is type(value)


def test_missing_and_expired_are_the_same(cache):
    assert cache.get("never", "default") == "default"
    cache.set("soon", 1, timeout=10)
    cache.set("ever", 1, timeout=None)
    with later(seconds=11):
        assert cache.get("soon") is None
        assert not cache.has_key("soon")
        assert cache.get("ever") == 1
        with pytest.raises(ValueError, match="not found"):
            cache.incr("soon")


def test_several_at_once(cache):
    cache.set_many({"a": 1, "b": "two"})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": "two"}
    cache.delete_many(["a"])
    assert cache.get_many(["a", "b"]) == {"b": "two"}
    assert cache.get_many([]) == {}


def test_add_only_adds_what_is_not_there(cache):
    assert cache.add("key", 1, timeout=10)
    assert not cache.add("key", 2, timeout=10)
    assert cache.get("key") == 1
    with later(seconds=11):
        assert cache.add("key", 3, timeout=10)
        assert cache.get("key") == 3


def test_counting(cache):
    cache.add("key", 1, timeout=10)
    assert [cache.incr("key"), cache.incr("key", 5), cache.decr("key", 8)] == [2, 7, -1]
    assert cache.get("key") == -1
    with pytest.raises(ValueError, match="not found"):
        cache.incr("other")


def test_counting_does_not_prolong(cache):
    cache.add("key", 1, timeout=10)
    with later(seconds=9):
        cache.incr("key")
    with later(seconds=11):
        assert cache.get("key") is None


def test_touch(cache):
    cache.set("key", "value", timeout=10)
    assert cache.touch("key", timeout=100)
    assert not cache.touch("other", timeout=100)
    with later(seconds=50):
        assert cache.get("key") == "value"
    with later(seconds=101):
        assert not cache.touch("key", timeout=100)


def test_versions_are_apart(cache):
    cache.set("key", 1, version=1)
    cache.set("key", 2, version=2)
    assert cache.incr("key", version=2) == 3
    assert cache.get("key", version=1) == 1


def test_pruning_removes_what_expired_and_keeps_the_size(cache):
    for number in range(5):
        cache.set(f"old{number}", 1, timeout=1)
    cache.set("new", 1, timeout=100)
    with later(seconds=5):
        cache.prune()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {TABLE}")
            assert cursor.fetchone() == (1,)
        for number in range(40):
            cache.set(f"more{number}", 1, timeout=100)
        cache.prune()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {TABLE}")
            assert cursor.fetchone()[0] < 40


def test_a_count_in_a_transaction_belongs_to_it(cache):
    cache.set("key", 1)
    with transaction.atomic():
        assert cache.incr("key") == 2
        transaction.set_rollback(True)
    assert cache.get("key") == 1


def test_a_failing_cache_does_not_break_the_callers_transaction(db):
    broken = ExactDatabaseCache("no_such_table", {})
    with transaction.atomic():
        with pytest.raises(Exception, match="no_such_table"):
            broken.incr("key")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)


def test_few_statements(cache, django_assert_num_queries):
    cache.set("key", 1)
    with transaction.atomic():
        pass
    # Each is one statement and, inside this test's transaction, a savepoint around it.
    with django_assert_num_queries(3):
        cache.incr("key")
    with django_assert_num_queries(3):
        cache.add("key", 1)


@pytest.mark.postgres
def test_the_table_stays_out_of_the_log_of_postgresql(cache):
    make_table_cheap("default", TABLE)
    make_table_cheap("default", TABLE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = %s", [TABLE])
        assert cursor.fetchone() == ("u",)
    cache.set("key", 1)
    assert cache.incr("key") == 2
