"""Twenty at once on PostgreSQL: nothing lost, nothing doubled, no deadlock."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from support.errors import RuleViolation
from support.models import (
    OutboundMessage,
    Reply,
    SlaBreach,
    Ticket,
    TicketEvent,
    TicketSearch,
)
from support.services import (
    merge_tickets,
    open_ticket,
    rate_ticket,
    reply_as_customer,
    reply_as_staff,
    sweep,
    update_ticket,
)
from support.services.clocks import deadlines, timeline_of
from support.services.mail_out import OUTBOX
from support.tests.factories import make_agent, make_policy, make_ticket
from systemadmin.foundation.configuration import forget_stored_values
from systemadmin.foundation.errors import DomainError, StaleVersion
from systemadmin.foundation.testing import run_threads
from systemadmin.models import Alert
from systemadmin.tests.factories import UserFactory

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL row locks"),
]
MANY = 20


def unexpected(outcomes):
    return [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, DomainError)]


def of(outcomes, kind):
    return [o for o in outcomes if isinstance(o, kind)]


def check_whole(ticket):
    """The row, the log and the replies tell the same story."""
    ticket.refresh_from_db()
    replies = list(ticket.replies.order_by("said_at", "id"))
    assert ticket.reply_count == len(replies)
    assert ticket.last_reply_id == (replies[-1].pk if replies else None)
    reported = set(SlaBreach.objects.filter(ticket=ticket).values_list("clock", "cycle"))
    computed = deadlines(timeline_of(ticket), reported)
    assert {name: getattr(ticket, name) for name in computed} == computed


@pytest.fixture
def cast(db):
    forget_stored_values()
    make_policy()
    return make_agent(username="ada"), UserFactory(username="marta")


def test_replying_and_closing(cast):
    """Half answer, half close: each answer is there once or was refused, none in between."""
    agent, member = cast
    ticket = make_ticket(member)

    def work(index):
        if index % 2:
            return update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
        return reply_as_staff(actor=agent, ticket=ticket, body=f"answer {index}")

    outcomes = run_threads(work, MANY)
    assert unexpected(outcomes) == []
    written = {reply.body for reply in of(outcomes, Reply)}
    stored = Counter(ticket.replies.filter(is_from_customer=False).values_list("body", flat=True))
    assert set(stored) == written
    assert set(stored.values()) <= {1}
    check_whole(ticket)
    assert ticket.status == "closed"
    said = TicketEvent.objects.filter(ticket=ticket, kind="staff_reply").count()
    assert said == len(written)


def test_replying_closing_and_merging(cast):
    """Three tickets merged every which way while others answer: a forest of depth one."""
    agent, member = cast
    tickets = [make_ticket(member, body=f"question {i}") for i in range(3)]

    def work(index):
        first, second = tickets[index % 3], tickets[(index + 1 + index // 10) % 3]
        if index % 4 == 0:
            return merge_tickets(actor=agent, source=first, into=second)
        if index % 4 == 1:
            return reply_as_customer(ticket=first, author=member, body=f"word {index}")
        if index % 4 == 2:
            return reply_as_staff(actor=agent, ticket=second, body=f"answer {index}")
        return update_ticket(actor=agent, ticket=first, changes={"tags": [f"t{index}"]})

    outcomes = run_threads(work, MANY)
    assert unexpected(outcomes) == []
    written = {o.body for o in of(outcomes, Reply)} | {f"question {i}" for i in range(3)}
    assert Counter(Reply.objects.values_list("body", flat=True)) == Counter(written)
    for ticket in tickets:
        check_whole(ticket)
        if ticket.merged_into_id:
            assert Ticket.objects.get(pk=ticket.merged_into_id).merged_into_id is None
            assert ticket.status == "closed"
            assert not ticket.replies.exists()
    assert Ticket.objects.filter(merged_into__isnull=True).exists()


@pytest.mark.parametrize("attempt", range(3))
def test_merging_both_ways_at_once(cast, attempt):
    """A into B and B into A: one wins, the other is refused, and somebody still answers."""
    agent, member = cast
    first, second = make_ticket(member), make_ticket(member)

    def work(index):
        pair = (first, second) if index % 2 else (second, first)
        return merge_tickets(actor=agent, source=pair[0], into=pair[1])

    outcomes = run_threads(work, MANY)
    assert unexpected(outcomes) == []
    assert len(of(outcomes, Ticket)) == 1
    assert len(of(outcomes, RuleViolation)) == MANY - 1
    left = Ticket.objects.get(merged_into__isnull=True)
    assert left.replies.count() == 2


def test_merging_whole_families(cast):
    """Everyone into everyone: still no chain and no cycle."""
    agent, member = cast
    tickets = [make_ticket(member) for _ in range(6)]

    def work(index):
        return merge_tickets(
            actor=agent, source=tickets[index % 6], into=tickets[(index * 5 + 1) % 6]
        )

    outcomes = run_threads(work, MANY)
    assert unexpected(outcomes) == []
    roots = set(Ticket.objects.filter(merged_into__isnull=True).values_list("pk", flat=True))
    targets = set(
        Ticket.objects.filter(merged_into__isnull=False).values_list("merged_into_id", flat=True)
    )
    assert targets <= roots
    assert Reply.objects.filter(ticket__in=roots).count() == 6


def test_the_same_client_key_is_one_reply(cast):
    agent, member = cast
    ticket = make_ticket(member)
    outcomes = run_threads(
        lambda _i: reply_as_staff(actor=agent, ticket=ticket, body="Once.", client_key="k"), MANY
    )
    assert unexpected(outcomes) == []
    assert len({reply.pk for reply in outcomes}) == 1
    assert ticket.replies.count() == 2
    assert OutboundMessage.objects.filter(kind="reply").count() == 1


def test_only_one_answers_what_they_all_saw(cast):
    agent, member = cast
    ticket = make_ticket(member)
    seen = ticket.last_reply_id
    outcomes = run_threads(
        lambda i: reply_as_staff(
            actor=agent, ticket=ticket, body=f"a{i}", expected_last_reply=seen
        ),
        MANY,
    )
    assert len(of(outcomes, Reply)) == 1
    assert len(of(outcomes, RuleViolation)) == MANY - 1


def test_only_one_edits_the_version_they_all_read(cast):
    agent, member = cast
    ticket = make_ticket(member)
    outcomes = run_threads(
        lambda i: update_ticket(
            actor=agent, ticket=ticket, changes={"tags": [f"t{i}"]}, expected_version=1
        ),
        MANY,
    )
    assert len(of(outcomes, Ticket)) == 1
    assert len(of(outcomes, StaleVersion)) == MANY - 1
    ticket.refresh_from_db()
    assert ticket.version == 2
    assert ticket.tags.count() == 1


def test_every_number_once_and_none_missing(cast):
    agent, member = cast
    outcomes = run_threads(
        lambda i: open_ticket(actor=agent, requester=member, subject=f"s{i}", body="b"), MANY
    )
    assert unexpected(outcomes) == []
    numbers = sorted(int(ticket.number[-6:]) for ticket in outcomes)
    assert numbers == list(range(1, MANY + 1))
    assert TicketSearch.objects.count() == MANY


def test_sweeps_at_once_escalate_once(cast):
    agent, member = cast
    tickets = [make_ticket(member, assignee=agent) for _ in range(5)]
    later = timezone.now() + timedelta(hours=2)
    outcomes = run_threads(lambda _i: sweep(now=later), MANY)
    assert unexpected(outcomes) == []
    assert SlaBreach.objects.count() == len(tickets)
    assert set(Alert.objects.values_list("count", flat=True)) == {1}
    assert TicketEvent.objects.filter(kind="breach").count() == len(tickets)


def test_one_worker_sends_a_mail(cast, monkeypatch):
    from django.core import mail

    agent, member = cast
    ticket = make_ticket(member)
    reply_as_staff(actor=agent, ticket=ticket, body="Hello.")
    pk = OutboundMessage.objects.get(kind="reply").pk
    mail.outbox.clear()
    outcomes = run_threads(lambda _i: OUTBOX.deliver(pk), MANY)
    assert unexpected(outcomes) == []
    assert outcomes.count(True) == 1
    assert len(mail.outbox) == 1


def test_one_rating(cast):
    agent, member = cast
    ticket = make_ticket(member)
    update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
    outcomes = run_threads(lambda i: rate_ticket(user=member, ticket=ticket, score=5), MANY)
    assert unexpected(outcomes) == []
    assert len(of(outcomes, RuleViolation)) == MANY - 1


def test_taking_turns_is_fair(cast, monkeypatch):
    from support.services import assignment

    _agent, member = cast
    make_agent(username="bob")
    make_agent(username="cleo")
    monkeypatch.setattr(assignment, "setting", lambda key: "round_robin")
    outcomes = run_threads(
        lambda i: open_ticket(actor=None, requester=member, subject="s", body="b"), 21
    )
    assert unexpected(outcomes) == []
    shares = Counter(ticket.assignee.username for ticket in outcomes)
    assert shares == {"ada": 7, "bob": 7, "cleo": 7}
