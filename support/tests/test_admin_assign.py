"""Giving tickets to agents by hand: the pickers say who has how much to do."""

import pytest
from django.core.management import call_command

from support.models import AgentState
from support.services import update_ticket, workload
from support.tests.factories import make_agent, make_ticket
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/support/ticket/"


@pytest.fixture
def roles():
    call_command("setup", verbosity=0)


def assigned(agent):
    return update_ticket(actor=None, ticket=make_ticket(), changes={"assignee": agent})


def give(client, tickets, assignee):
    data = {"action": "assign", "_selected_action": [t.pk for t in tickets], "apply": "1"}
    return client.post(LIST, {**data, "assignee": assignee.pk if assignee else ""}, follow=True)


def test_the_pickers_say_how_much_each_has_to_do(roles, admin_client_for):
    busy, away = make_agent(username="busy"), make_agent(username="away")
    UserFactory(username="member")
    AgentState.objects.update_or_create(user=away, defaults={"is_available": False})
    for _ in range(2):
        assigned(busy)
    ticket = make_ticket()
    chief = StaffFactory(username="chief", is_superuser=True)
    page = admin_client_for(chief).get(f"{LIST}{ticket.pk}/change/").content.decode()
    assert "busy (2 open)" in page
    assert "away (0 open, away)" in page
    assert "chief (0 open)" in page
    assert "member (" not in page


def test_tickets_are_given_to_somebody_in_one_go(roles, admin_client_for):
    agent = make_agent(username="ana")
    tickets = [make_ticket(), make_ticket()]
    chief = StaffFactory(username="chief", is_superuser=True)
    give(admin_client_for(chief), tickets, agent)
    for ticket in tickets:
        ticket.refresh_from_db()
        assert ticket.assignee == agent
    assert workload().get(username="ana").open_tickets == 2
    give(admin_client_for(chief), tickets[:1], None)
    tickets[0].refresh_from_db()
    assert tickets[0].assignee is None


def test_who_only_looks_gives_nothing_away(roles, admin_client_for):
    ticket = assigned(make_agent(username="bea"))
    auditor = StaffFactory(username="aud", role="auditor")
    give(admin_client_for(auditor), [ticket], None)
    ticket.refresh_from_db()
    assert ticket.assignee.username == "bea"


def test_the_picker_takes_the_same_queries_for_many_agents(
    roles, admin_client_for, django_assert_max_num_queries
):
    make_agent(username="one")
    with django_assert_max_num_queries(1):
        list(workload())
    for number in range(5):
        assigned(make_agent(username=f"agent-{number}"))
    with django_assert_max_num_queries(1):
        assert len(list(workload())) == 6
