"""Many at once on PostgreSQL: gapless numbers, exact counters, one row a client id, whole pages."""

import random
import threading

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from messaging import services
from messaging.errors import (
    CannotMarkUnread,
    MessagesNotAccepted,
    NotYourMessage,
    RecipientBlockedByYou,
    TooManyMessages,
)
from messaging.integrity import check_unread_counts
from messaging.models import Block, Conversation, Mailbox, Message, Participant, StreamEvent
from messaging.services.mailboxes import recount
from messaging.tests.factories import old_member, send, true_unread
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import run_threads
from systemadmin.tests.factories import UserFactory

on_postgres = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL"),
]


def assert_everything_adds_up(members):
    """Every stored number equals what counting the rows gives."""
    for conversation in Conversation.objects.all():
        seqs = list(conversation.messages.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, conversation.last_seq + 1)), "gapless, nothing twice"
        moments = list(conversation.messages.order_by("seq").values_list("created_at", flat=True))
        assert moments == sorted(moments), "the order of numbers is the order of time"
    for member in members:
        box = Mailbox.objects.filter(pk=member.pk).first() or Mailbox(user=member)
        assert box.unread_count == true_unread(member) == recount(member.pk)
        positions = StreamEvent.objects.filter(user=member).order_by("position")
        assert list(positions.values_list("position", flat=True)) == list(
            range(1, box.position + 1)
        )
        for row in Participant.objects.filter(user=member):
            visible = Message.objects.filter(conversation=row.conversation_id)
            newest = visible.visible_to(member.pk).order_by("-seq").first()
            assert row.last_message_id == (newest.pk if newest else None)
    assert check_unread_counts() == []


@pytest.mark.usefixtures("db")
class TestThreads:
    pytestmark = on_postgres

    def test_k_sends_with_one_client_id_make_one_row(self, member, other_member):
        results = run_threads(
            lambda _n: services.send_message(
                actor=member, recipient=other_member, body="Hola", client_id="once"
            ),
            12,
        )
        assert {sent.message.pk for sent in results} == {Message.objects.get().pk}
        assert sum(sent.is_new for sent in results) == 1
        assert_everything_adds_up([member, other_member])

    def test_first_messages_both_ways_make_one_conversation(self, member, other_member):
        pairs = [(member, other_member), (other_member, member)]
        results = run_threads(lambda n: send(*pairs[n % 2], f"n{n}"), 12)
        assert not [r for r in results if isinstance(r, Exception)]
        assert Conversation.objects.count() == 1
        assert_everything_adds_up([member, other_member])

    def test_quotas_hold_under_concurrency(self, member, quotas):
        others = [UserFactory() for _ in range(8)]
        results = run_threads(lambda n: send(member, others[n], f"n{n}"), 8)
        assert sum(isinstance(r, Message) for r in results) == 2
        assert sum(isinstance(r, TooManyMessages) for r in results) == 6

    def test_any_storm_of_sends_reads_hides_and_blocks_leaves_exact_counters(self):
        cast = [old_member() for _ in range(5)]

        def storm(seed):
            rng = random.Random(seed)
            for number in range(25):
                act(rng, cast, number)

        results = run_threads(storm, 8)
        assert not [r for r in results if isinstance(r, Exception)], results
        assert Message.objects.count() > 40
        assert_everything_adds_up(cast)

    def test_pages_joined_together_have_no_gap_and_no_double(self, as_user, member, other_member):
        for number in range(60):
            send(other_member, member, f"old {number}")
        done = threading.Event()

        def write(_n):
            number = 0
            while not done.is_set():
                send(other_member, member, f"new {number}")
                number += 1

        def read(_n):
            client = as_user(member)
            try:
                return [
                    pages(client, f"/api/messages/{other_member.pk}?page_size=7") for _ in "123"
                ]
            finally:
                done.set()

        joined, _writer = run_threads(lambda n: (read, write)[n](n), 2)
        for seqs in joined:
            assert seqs == list(range(seqs[0], 0, -1)), "no gap, no double, while others write"
        assert Message.objects.count() > 60

    def test_the_pages_read_backwards_are_the_same(self, as_user, member, other_member):
        for number in range(20):
            send(other_member, member, f"n{number}")
        client = as_user(member)
        page = client.get(f"/api/messages/{other_member.pk}?page_size=6").json()
        while page["next"]:
            page = client.get(page["next"]).json()
        seqs = [row["seq"] for row in page["results"]]
        while page["previous"]:
            page = client.get(page["previous"]).json()
            seqs = [row["seq"] for row in page["results"]] + seqs
        assert seqs == list(range(20, 0, -1))


def pages(client, url):
    seqs = []
    while url:
        page = client.get(url).json()
        seqs += [row["seq"] for row in page["results"]]
        url = page["next"]
    return seqs


def act(rng, cast, number):
    """One random thing that one random member does; rule refusals are part of life."""
    actor, other = rng.sample(cast, 2)
    choice = rng.random()
    if choice < 0.55:
        try:
            send(actor, other, f"{number}")
        except (MessagesNotAccepted, RecipientBlockedByYou, InvalidInput):
            # Who blocks a stranger looks to them as if there were no such account.
            return
    elif choice < 0.93:
        messages = Message.objects.in_conversation_of(actor.pk).order_by("-pk")[:10]
        message = rng.choice(list(messages.select_related("conversation")) or [None])
        if message is not None:
            touch(actor, message, choice)
    elif choice < 0.96:
        services.block_member(actor=actor, user_id=other.pk)
    else:
        Block.objects.filter(blocker=actor).delete()


def touch(actor, message, choice):
    """Read, hide, mark as unread, take back or erase one message."""
    try:
        if choice < 0.72:
            services.read_up_to(actor=actor, message=message)
        elif choice < 0.80:
            services.hide_message(actor=actor, message=message)
        elif choice < 0.85:
            services.mark_unread(actor=actor, message=message)
        elif choice < 0.90:
            services.unsend_message(actor=actor, message=message)
        else:
            services.erase_message(actor=None, message=message, reason="a storm")
    except (CannotMarkUnread, NotYourMessage):
        return


@pytest.mark.django_db
@profile(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 30))
def test_any_sequence_of_acts_leaves_exact_counters(seed, steps):
    """The same on either database, one after the other, shrunk to the shortest failure."""
    rng = random.Random(seed)
    cast = [old_member() for _ in range(3)]
    for number in range(steps):
        act(rng, cast, number)
    for member in cast:
        box = Mailbox.objects.filter(pk=member.pk).first() or Mailbox(user=member)
        assert box.unread_count == true_unread(member)
    assert_everything_adds_up_for(cast)


def assert_everything_adds_up_for(cast):
    mine = Conversation.objects.filter(lower__in=cast)
    for conversation in mine:
        seqs = list(conversation.messages.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, conversation.last_seq + 1))


@pytest.mark.django_db
def test_a_wrong_counter_is_found(member, other_member):
    for _ in range(3):
        send(other_member, member)
    assert check_unread_counts() == []
    Participant.objects.filter(user=member).update(unread_count=2)
    Mailbox.objects.filter(user=member).update(unread_count=1)
    assert check_unread_counts() == [
        "1 conversations count their unread messages wrongly",
        "1 mailboxes differ from the sum of their conversations",
    ]


@pytest.mark.django_db
def test_reading_is_monotone_and_idempotent_in_any_order(member, other_member):
    messages = [send(other_member, member, f"n{n}") for n in range(6)]
    furthest = 0
    for message in random.Random(7).choices(messages, k=20):
        furthest = max(furthest, message.seq)
        state = services.read_up_to(actor=member, message=message)
        assert state.last_read_seq == furthest
        assert state.unread_count == 6 - furthest == true_unread(member)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="compares PostgreSQL's statement")
def test_the_one_statement_writes_the_same_rows_as_the_orm(monkeypatch):
    def rows_after(one_statement):
        monkeypatch.setattr("messaging.services.sending.has_one_statement", lambda: one_statement)
        a, b = old_member(), old_member()
        base = min(a.pk, b.pk)
        send(a, b, "Hola")
        for body, client_id in (("¿Sigue disponible la bicicleta azul?", "x1"), ("sí", None)):
            send(b, a, body, client_id=client_id)
            send(a, b, body, client_id=client_id)
        return [
            list(rows_of(model, where, base, first_message(a)))
            for model, where in (
                (Conversation, {"lower__in": [a, b]}),
                (Participant, {"user__in": [a, b]}),
                (Mailbox, {"user__in": [a, b]}),
                (Message, {"sender__in": [a, b]}),
                (StreamEvent, {"user__in": [a, b]}),
            )
        ]

    assert rows_after(True) == rows_after(False)


def first_message(user):
    return Message.objects.filter(sender=user).order_by("pk").first()


def rows_of(model, where, base, first):
    """Rows with keys as distances and moments as whether they are there."""
    people = {"lower_id", "higher_id", "user_id", "peer_id", "sender_id"}
    messages = {"last_message_id", "message_id"}
    order = "position" if model is StreamEvent else "pk"
    for row in model.objects.filter(**where).order_by(order, *sorted({"user_id"} & fields(model))):
        shown = {}
        for name in fields(model):
            value = getattr(row, name)
            if name in people:
                value -= base
            elif name in messages or (model is Message and name == "id"):
                value -= first.pk
            elif name in {"id", "conversation_id"} or name == "pk":
                continue
            elif hasattr(value, "tzinfo"):
                value = "a moment"
            shown[name] = value
        yield shown


def fields(model):
    return {field.attname for field in model._meta.concrete_fields if field.attname != "pk"}
