"""How many event streams there may be: of one member, and of one process."""

import time

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from messaging.api import stream as endpoint
from messaging.streaming import hub as hubs
from messaging.streaming.hub import Hub, Stream, open_streams
from systemadmin.foundation.testing import problem
from systemadmin.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def hub(monkeypatch):
    made = Hub()
    monkeypatch.setattr(made, "_start", lambda: None)
    monkeypatch.setattr(hubs, "_hubs", {"loop": made})
    made.most_streams = 3
    return made


def opened(hub, user_id):
    stream = Stream(user_id=user_id, token_id=None, position=None, expires=time.monotonic() + 60)
    hub._open(stream)
    return stream


def test_the_oldest_streams_of_a_member_end(hub):
    streams = [opened(hub, 1) for _ in range(60)]
    assert [stream.is_closing for stream in streams] == [True] * 57 + [False] * 3
    assert all(stream.woken.is_set() for stream in streams[:57])


def test_other_members_keep_theirs(hub):
    other = opened(hub, 2)
    for _ in range(60):
        opened(hub, 1)
    assert not other.is_closing


def test_the_setting_holds_from_the_first_stream_of_a_process(hub, monkeypatch):
    """It was read by a round that comes seconds later: until then the default was in force."""
    del hub.most_streams

    async def run(function, *args):
        return 3 if args == ("messaging.streams_per_member",) else 60

    async def begin():
        for stream in streams:
            # Up to the first thing that is sent, as a client that stays.
            await anext(hub.serve(stream))

    monkeypatch.setattr(hub, "run", run)
    streams = [
        Stream(user_id=1, token_id=None, position=None, expires=time.monotonic() + 60)
        for _ in range(9)
    ]
    async_to_sync(begin)()
    assert [stream.is_closing for stream in streams] == [True] * 6 + [False] * 3


def test_open_streams_are_counted_until_they_end(hub):
    streams = [opened(hub, number % 3) for number in range(9)]
    assert open_streams() == 9
    for stream in [*streams, *streams]:
        hub._drop(stream)
    assert open_streams() == 0
    assert not hub.streams


@pytest.mark.parametrize(("held", "status"), [(5000, 429), (4999, 200)])
def test_a_full_process_refuses_the_newest(monkeypatch, member, held, status):
    monkeypatch.setattr(endpoint, "open_streams", lambda: held)
    monkeypatch.setattr(endpoint, "_live", lambda stream: iter(()))
    _token, secret = ApiToken.objects.create(user=member)

    async def ask():
        headers = {"Authorization": f"Bearer {secret}"}
        return await AsyncClient().get("/api/messages/stream", headers=headers)

    response = async_to_sync(ask)()
    assert response.status_code == status
    if status == 429:
        problem(response, 429, "too_many_streams")
        assert response["Retry-After"] == "10"
