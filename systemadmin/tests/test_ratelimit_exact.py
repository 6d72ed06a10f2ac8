"""Of 400 requests from four processes exactly 100 pass, whichever store counts them."""

import json
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection
from django_ratelimit.core import _get_window

PROCESSES, EACH, LIMIT = 4, 100, 100
EXACT = "systemadmin.foundation.cache.ExactDatabaseCache"


def start(order):
    return subprocess.Popen(
        [sys.executable, "-m", "systemadmin.tests.ratelimit_worker", json.dumps(order)],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def once(order):
    worker = start(order)
    worker.communicate(timeout=60)
    assert worker.returncode == 0


def all_at_once(order):
    """Start the processes, let them begin together, return what each counted."""
    workers = [start(order) for _ in range(PROCESSES)]
    for worker in workers:
        assert worker.stdout.readline().strip() == "ready"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    outputs = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    return [json.loads(output)["counts"] for output in outputs]


def user_in_a_fresh_window():
    """Somebody whose hour does not end while the processes count."""
    users = (f"user:{number}" for number in range(1000))
    return next(user for user in users if _get_window(user, 3600) - time.time() > 600)


@contextmanager
def sqlite_store(tmp_path):
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "counts.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
    yield {"database": database, "cache": {"BACKEND": EXACT, "LOCATION": "counts"}}


@contextmanager
def postgres_store(tmp_path):
    database = {
        key: connection.settings_dict[key]
        for key in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    }
    table = f"counts_{uuid.uuid4().hex[:12]}"
    try:
        yield {"database": database, "cache": {"BACKEND": EXACT, "LOCATION": table}}
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


@contextmanager
def redis_store(tmp_path):
    cache = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": settings.CACHES["default"]["LOCATION"],
        "KEY_PREFIX": uuid.uuid4().hex,
    }
    yield {"database": None, "cache": cache}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "store",
    [
        sqlite_store,
        pytest.param(postgres_store, marks=pytest.mark.postgres),
        pytest.param(redis_store, marks=pytest.mark.redis),
    ],
)
def test_exactly_the_limit_passes(store, tmp_path):
    with store(tmp_path) as order:
        if order["database"]:
            once(order | {"task": "prepare"})
        order |= {"task": "limit", "key": uuid.uuid4().hex, "limit": LIMIT, "requests": EACH}
        counts = all_at_once(order | {"user": user_in_a_fresh_window()})
        passed = sorted(count for worker in counts for count in worker if count)
        assert passed == list(range(1, LIMIT + 1))
