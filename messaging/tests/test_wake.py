"""What wakes streams: the source that fits, and hints that come with the commit."""

import asyncio
import os

import psycopg
import pytest
from django.db import connection, transaction

from messaging.services import wake
from messaging.streaming import sources
from messaging.tests.factories import send
from systemadmin.services import change_settings

REDIS = os.environ.get("TEST_REDIS_URL") or os.environ.get("REDIS_URL", "")


class Listening:
    """The hub as a source sees it."""

    def __init__(self):
        self.woken = asyncio.Queue()

    def wake(self, user_ids):
        self.woken.put_nowait(set(user_ids))

    async def look(self):
        self.woken.put_nowait("looked")

    async def run(self, function, *args):
        return await asyncio.get_running_loop().run_in_executor(None, function, *args)


async def hear(source, announce):
    """What a source hears first of what `announce` says, once it listens."""
    hub = Listening()
    task = asyncio.create_task(source(hub))
    try:
        assert await asyncio.wait_for(hub.woken.get(), 10) == "looked"
        await asyncio.get_running_loop().run_in_executor(None, announce)
        return await asyncio.wait_for(hub.woken.get(), 10)
    finally:
        task.cancel()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("chosen", "redis", "expected"),
    [
        ("auto", "", {"postgresql": "postgresql", "sqlite": "poll"}),
        ("auto", "redis://x", {"postgresql": "postgresql", "sqlite": "redis"}),
        ("redis", "redis://x", {"postgresql": "redis", "sqlite": "redis"}),
        ("redis", "", {"postgresql": "poll", "sqlite": "poll"}),
        ("poll", "redis://x", {"postgresql": "poll", "sqlite": "poll"}),
        ("postgresql", "", {"postgresql": "postgresql", "sqlite": "poll"}),
    ],
)
def test_the_source_fits_the_installation(settings, chosen, redis, expected):
    settings.REDIS_URL = redis
    change_settings(actor=None, values={"messaging.stream_wake": chosen})
    assert wake.wake_method() == expected[connection.vendor]


def test_payloads_stay_below_what_postgresql_takes():
    payloads = list(wake._payloads(range(10**9, 10**9 + 1000)))
    assert len(payloads) == 3
    assert max(map(len, payloads)) < 8000
    assert [i for p in payloads for i in sources._ids(p)] == list(range(10**9, 10**9 + 1000))


def test_a_foreign_payload_wakes_nobody():
    assert sources._ids("1,x,-2,3; drop") == [1]


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="LISTEN is PostgreSQL's")
@pytest.mark.django_db(transaction=True)
def test_postgresql_tells_of_a_sending_with_its_commit(member, other_member):
    db = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    address = {name: db[name] for name in names if db.get(name)}
    with psycopg.connect(**address, autocommit=True) as listener:
        listener.execute(f"LISTEN {wake.CHANNEL}")
        with transaction.atomic():
            send(member, other_member, "uno")
            assert list(listener.notifies(timeout=0.3)) == [], "not before the commit"
        first = list(listener.notifies(timeout=5, stop_after=1))
        # The second takes the path of one statement.
        send(member, other_member, "dos")
        second = list(listener.notifies(timeout=5, stop_after=1))
    expected = {member.pk, other_member.pk}
    assert set(sources._ids(first[0].payload)) == set(sources._ids(second[0].payload)) == expected


@pytest.mark.redis
@pytest.mark.skipif(not REDIS, reason="needs REDIS_URL")
@pytest.mark.django_db
def test_redis_carries_the_hint(settings):
    settings.REDIS_URL = REDIS
    wake._redis_client.cache_clear()
    heard = asyncio.run(hear(sources._from_redis, lambda: wake._publish(["7,9"])))
    wake._redis_client.cache_clear()
    assert heard == {7, 9}


@pytest.mark.django_db
def test_a_dead_redis_does_not_stop_a_sending(
    settings, member, other_member, django_capture_on_commit_callbacks
):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    change_settings(actor=None, values={"messaging.stream_wake": "redis"})
    wake._redis_client.cache_clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert send(member, other_member).pk
    wake._redis_client.cache_clear()
