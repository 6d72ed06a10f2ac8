"""Members learn nothing of accounts they have not met: not even that there are any."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.models import Block, Message, Preferences
from messaging.tests.factories import send
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry, User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
BLOCKS = "/api/messages/blocks"
NOBODY = 987_654_321


@pytest.fixture
def stranger(db):
    return UserFactory(first_name="Nuria", last_name="Vidal")


def block(client, user_id):
    return client.post(BLOCKS, {"user": user_id})


def shown(client, user_id):
    """What a block tells of an account, in its answer and in the list."""
    first = block(client, user_id)
    assert first.status_code == 201, first.json()
    [listed] = [row for row in client.get(BLOCKS).json()["results"] if row["user"]["id"] == user_id]
    assert listed == first.json()
    return listed["user"]


def unnamed(user_id):
    return {"id": user_id, "username": "", "name": "", "is_verified": False}


def test_a_block_tells_the_same_of_a_stranger_and_of_nobody(marta, stranger):
    assert shown(marta, stranger.pk) == unnamed(stranger.pk)
    assert shown(marta, NOBODY) == unnamed(NOBODY)


def test_it_costs_the_same_queries(marta, stranger):
    block(marta, UserFactory().pk)
    counts = []
    for user_id in (stranger.pk, NOBODY):
        for _again in range(2):
            with CaptureQueriesContext(connection) as captured:
                block(marta, user_id)
            counts.append(len(captured))
    assert counts[:2] == counts[2:]


def test_blocks_of_nobody_are_removed_like_others(marta, stranger):
    for user_id in (stranger.pk, NOBODY):
        block(marta, user_id)
        assert marta.delete(f"{BLOCKS}/{user_id}").status_code == 204
        problem(marta.delete(f"{BLOCKS}/{user_id}"), 404)
    assert AuditEntry.objects.filter(action="messaging.member.unblocked").count() == 2


def test_a_block_of_a_stranger_holds(marta, oscar):
    block(marta, oscar.user.pk)
    oscar.post("/api/messages", {"recipient": marta.user.pk, "body": "Hola"})
    assert not Message.objects.exists()


def test_names_are_told_of_whoever_wrote(marta, stranger):
    send(stranger, marta.user)
    assert shown(marta, stranger.pk)["username"] == stranger.username
    assert shown(marta, stranger.pk)["name"] == "Nuria Vidal"


def test_writing_to_a_stranger_does_not_tell_their_name_before_they_answer(marta, stranger):
    marta.post("/api/messages", {"recipient": stranger.pk, "body": "Hola"})
    [row] = marta.get("/api/messages/conversations").json()["results"]
    assert row["user"] == unnamed(stranger.pk)
    assert stranger.username.encode() not in b"".join(
        marta.get("/api/messages/export").streaming_content
    )
    send(stranger, marta.user)
    send(marta.user, stranger, "otra vez")
    [row] = marta.get("/api/messages/conversations").json()["results"]
    assert (row["user"]["username"], row["user"]["name"]) == (stranger.username, "Nuria Vidal")


@pytest.fixture(params=["closed", "does not want", "has blocked"])
def unreachable(request, stranger, member):
    if request.param == "closed":
        User.objects.filter(pk=stranger.pk).update(is_active=False)
    elif request.param == "does not want":
        Preferences.objects.create(user=stranger, who_may_write=Preferences.Audience.NOBODY)
    else:
        Block.objects.create(blocker=stranger, blocked=member)
    return stranger


@pytest.mark.parametrize(
    "ask",
    [
        {"body": "Hola"},
        {"body": ""},
        {"body": "x" * 5000},
        {"body": " ".join(f"https://a{n}.example.com" for n in range(30))},
        {"body": "Mira https://otra.example.com"},
        {"body": "Hola", "client_id": "used"},
        {"body": "Hola", "client_id": "fresh"},
        {"body": "Hola", "client_id": "á"},
    ],
)
def test_writing_to_nobody_is_answered_like_writing_to_the_unreachable(
    marta, other_member, unreachable, ask
):
    send(marta.user, other_member, "Otra cosa", client_id="used")
    answers = []
    for user_id in (unreachable.pk, NOBODY):
        response = marta.post("/api/messages", {"recipient": user_id, **ask})
        answers.append((response.status_code, {**response.json(), "request_id": ""}))
    assert answers[0] == answers[1]
    assert answers[0][0] >= 400


def test_a_full_quota_is_told_alike(marta, other_member, unreachable, quotas):
    for number in range(2):
        send(marta.user, other_member, f"n{number}")
    for user_id in (unreachable.pk, NOBODY):
        response = marta.post("/api/messages", {"recipient": user_id, "body": "Hola"})
        problem(response, 429, "message_quota_exceeded")


def test_ones_own_block_is_told_alike(marta, stranger):
    for user_id in (stranger.pk, NOBODY):
        block(marta, user_id)
        response = marta.post("/api/messages", {"recipient": user_id, "body": "Hola"})
        problem(response, 409, "recipient_blocked_by_you")


def test_other_lists_tell_the_same_of_a_stranger_and_of_nobody(marta, stranger):
    for path in ("/api/messages/{}", "/api/products?seller={}"):
        answers = [marta.get(path.format(user_id)) for user_id in (stranger.pk, NOBODY)]
        assert answers[0].status_code == answers[1].status_code == 200
        assert answers[0].json() == answers[1].json()
