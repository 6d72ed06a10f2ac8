"""Sending reads, judges and writes without a lock in between: whatever happens there is noticed."""

import threading

import pytest
from django.db import connection, connections, transaction

from messaging import services
from messaging.errors import MessagesNotAccepted, TooManyMessages
from messaging.models import Message
from messaging.services import sending
from messaging.tests.factories import old_member, send
from messaging.tests.test_threads import assert_everything_adds_up
from systemadmin.foundation.testing import run_threads
from systemadmin.services import change_settings

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="two sessions need PostgreSQL"),
]


@pytest.fixture
def pair():
    """Two members who have already spoken, so that one statement can write the next message."""
    ana, bea = old_member(), old_member()
    send(ana, bea, "first")
    return ana, bea


@pytest.fixture
def between(monkeypatch):
    """Do something in another session between the first judgement and the writing."""

    def arrange(deed):
        judge, judged = sending._judged, []

        def interrupted(draft, facts):
            verdict = judge(draft, facts)
            judged.append(facts)
            if len(judged) == 1:
                deed()
            return verdict

        monkeypatch.setattr(sending, "_judged", interrupted)
        return judged

    return arrange


def elsewhere(deed):
    (outcome,) = run_threads(lambda _n: deed(), 1)
    if isinstance(outcome, Exception):
        raise outcome


def test_undisturbed_it_judges_once(pair, between):
    judged = between(lambda: None)
    assert send(*pair).seq == 2
    assert len(judged) == 1
    assert_everything_adds_up(pair)


def test_an_answer_in_between_is_before_ours(pair, between):
    ana, bea = pair
    judged = between(lambda: elsewhere(lambda: send(bea, ana, "in between")))
    assert send(ana, bea, "after").seq == 3
    assert len(judged) >= 2, "it was judged again"
    assert_everything_adds_up(pair)


def test_a_block_in_between_is_respected(pair, between):
    ana, bea = pair
    between(lambda: elsewhere(lambda: services.block_member(actor=bea, user_id=ana.pk)))
    with pytest.raises(MessagesNotAccepted):
        send(ana, bea, "too late")
    assert Message.objects.count() == 1


def test_a_block_that_commits_while_we_wait_for_it_is_respected(pair, between):
    ana, bea = pair
    is_held = threading.Event()

    def block_slowly():
        with transaction.atomic():
            services.block_member(actor=bea, user_id=ana.pk)
            is_held.set()
            assert waits_for_a_lock(), "our statement has begun and stands before the lock"
        connections.close_all()

    blocker = threading.Thread(target=block_slowly)

    def start():
        blocker.start()
        assert is_held.wait(20)

    between(start)
    with pytest.raises(MessagesNotAccepted):
        send(ana, bea, "too late")
    blocker.join(20)
    assert Message.objects.count() == 1


def waits_for_a_lock():
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return True
        threading.Event().wait(0.02)
    return False


@pytest.mark.usefixtures("quotas")
def test_a_quota_filled_in_between_is_full(pair, between):
    ana, bea = pair
    carl = old_member()
    change_settings(actor=None, values={"messaging.quota_trusted": ["2/60"]})
    between(lambda: elsewhere(lambda: send(ana, carl, "to somebody else")))
    with pytest.raises(TooManyMessages):
        send(ana, bea, "the third")
    assert Message.objects.filter(sender=ana).count() == 2


def test_the_same_client_id_in_between_is_the_same_message(pair, between):
    ana, bea = pair
    between(lambda: elsewhere(lambda: send(ana, bea, "Hola", client_id="once")))
    assert send(ana, bea, "Hola", client_id="once").seq == 2
    assert Message.objects.count() == 2
