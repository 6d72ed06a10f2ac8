"""Whatever is merged into whatever, in any order: no circle, no chain, and no reply lost."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.models import Reply, Ticket
from support.services import merge_tickets, reply_as_customer
from support.tests.factories import make_agent, make_ticket
from systemadmin.foundation.errors import DomainError
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
COUNT = 5
PAIRS = st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted=st.lists(PAIRS, min_size=3, max_size=12))
def test_merges_stay_acyclic(db, wanted):
    member, agent = UserFactory(), make_agent()
    tickets = [make_ticket(member) for _ in range(COUNT)]
    for ticket in tickets:
        reply_as_customer(author=member, ticket=ticket, body="Is anybody there?")
    said = set(Reply.objects.filter(ticket__in=tickets).values_list("pk", flat=True))
    merged = set()
    for source, into in wanted:
        try:
            merge_tickets(actor=agent, source=tickets[source], into=tickets[into])
        except DomainError:
            assert source == into or {source, into} & merged
        else:
            assert not {source, into} & merged
            merged.add(source)

    pks = [ticket.pk for ticket in tickets]
    leads = dict(Ticket.objects.filter(pk__in=pks).values_list("pk", "merged_into_id"))
    assert {pk for pk, into in leads.items() if into} == {pks[source] for source in merged}
    for pk, into in leads.items():
        assert into is None or leads[into] is None, f"{pk} leads to one that leads on"
    replies = dict(Reply.objects.filter(pk__in=said).values_list("pk", "ticket_id"))
    assert replies.keys() == said
    assert all(leads[ticket] is None for ticket in replies.values())
