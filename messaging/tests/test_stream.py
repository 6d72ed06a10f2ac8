"""The event stream: what it tells, in which order, and how it resumes."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from messaging import services
from messaging.models import Mailbox, StreamEvent
from messaging.streaming.journal import BATCH, Asked, read_news
from messaging.tests.factories import send
from messaging.tests.test_stream_format import parse
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def stream(client, after=None):
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    response = client.get("/api/messages/stream", headers=headers)
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "text/event-stream"
    return response


def events(client, after=None):
    content = b"".join(stream(client, after).streaming_content)
    return [{**e, "data": json.loads(e["data"])} for e in parse(content)]


def names(found):
    return [event["event"] for event in found]


def test_a_first_connection_learns_where_it_starts(marta, letter):
    found = events(marta)
    assert names(found) == ["ready", "unread_count"]
    assert found[0]["id"] == "1"
    assert found[1]["data"] == {"unread_count": 1}


def test_without_asgi_the_stream_ends_and_says_when_to_come_back(marta):
    content = b"".join(stream(marta).streaming_content)
    assert content.startswith(b"retry: 3000\n\n")


def test_proxies_are_told_to_leave_it_alone(marta):
    response = stream(marta)
    assert response["X-Accel-Buffering"] == "no"
    assert "no-transform" in response["Cache-Control"]


def test_resuming_brings_exactly_what_came_after(marta, oscar, member, other_member):
    first = send(other_member, member, "uno")
    send(member, other_member, "dos")
    services.read_up_to(actor=member, message=first)
    found = events(marta, after=0)
    assert names(found) == ["message", "message", "read", "unread_count"]
    assert [e["data"]["message"]["body"] for e in found[:2]] == ["uno", "dos"]
    assert found[0]["data"]["user"] == other_member.pk
    assert found[2]["data"] == {"user": other_member.pk, "reader": member.pk, "last_read_seq": 1}
    assert [e["id"] for e in found[:3]] == ["1", "2", "3"]
    assert names(events(marta, after=2)) == ["read", "unread_count"]
    assert events(marta, after=3) == []
    # The other side hears of the same three, in its own count.
    assert names(events(oscar, after=0)) == ["message", "message", "read", "unread_count"]


def test_the_stream_shows_messages_as_the_api_does(marta, letter):
    (row,) = marta.get(f"/api/messages/{letter.sender_id}").json()["results"]
    assert events(marta, after=0)[0]["data"]["message"] == row


def test_edits_and_hiding_are_told(marta, letter, member, other_member):
    services.edit_message(actor=other_member, message=letter, body="Hola otra vez")
    services.hide_message(actor=member, message=letter)
    found = events(marta, after=1)
    # By the time of reading the message is hidden: its edit is nothing to show any more.
    assert names(found) == ["gone", "hidden", "unread_count"]
    assert events(marta, after=0)[0]["event"] == "gone"


def test_nobody_hears_of_others(as_user, letter):
    assert names(events(as_user(UserFactory()), after=0)) == []


def test_far_behind_is_served_in_batches(marta, member, other_member):
    for number in range(5):
        send(other_member, member, f"n{number}")
    box = Mailbox.objects.get(pk=member.pk)
    StreamEvent.objects.bulk_create(
        StreamEvent(
            user=member,
            position=box.position + 1 + number,
            kind="read",
            peer=other_member,
            reader=member,
            created_at=timezone.now(),
        )
        for number in range(BATCH * 2)
    )
    Mailbox.objects.filter(pk=member.pk).update(position=box.position + BATCH * 2)
    found = [e for e in events(marta, after=0) if "id" in e]
    assert [int(e["id"]) for e in found] == list(range(1, BATCH * 2 + 6))


def test_a_cursor_older_than_the_journal_starts_afresh(marta, member, other_member):
    send(other_member, member, "uno")
    StreamEvent.objects.update(created_at=timezone.now() - timedelta(days=30))
    send(other_member, member, "dos")
    assert services.prune_stream() == 2
    found = events(marta, after=0)
    assert names(found) == ["reset", "unread_count"]
    assert found[0]["id"] == "2"
    assert names(events(marta, after=1)) == ["message", "unread_count"]


def test_a_cursor_from_before_a_restored_backup_starts_afresh(marta, letter):
    assert names(events(marta, after=99)) == ["reset", "unread_count"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.0", "9" * 30])
def test_a_cursor_we_never_sent_is_400(marta, cursor):
    response = marta.get("/api/messages/stream", headers={"Last-Event-ID": cursor})
    problem(response, 400, field="Last-Event-ID")


def test_the_cursor_may_come_in_the_address(marta, letter):
    response = marta.get("/api/messages/stream?last_event_id=0")
    assert b"event: message" in b"".join(response.streaming_content)


def test_without_a_token_there_is_no_stream(api):
    problem(api.get("/api/messages/stream"), 401)


def test_many_streams_are_answered_together(
    member, other_member, django_assert_num_queries, letter
):
    members = [UserFactory() for _ in range(20)]
    for one in members:
        send(other_member, one)
    asked = [Asked(one.pk, 0) for one in members] + [Asked(member.pk, 0), Asked(member.pk, None)]
    with django_assert_num_queries(3):
        news = read_news(asked)
    assert all(b"event: message" in news[a].frames[0] for a in asked[:-1])
    assert b"event: ready" in news[asked[-1]].frames[0]
