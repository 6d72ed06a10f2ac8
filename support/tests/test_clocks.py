"""Stored clocks: equal to a recompute, escalated once, explained by versions."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import lifecycle
from support.errors import InUse, RuleViolation
from support.models import AgentNotice, SlaBreach, SlaPolicyVersion, Ticket, TicketEvent
from support.services import (
    apply_to_open,
    close_resolved,
    delete_policy,
    merge_tickets,
    reply_as_customer,
    reply_as_staff,
    save_calendar,
    save_policy,
    sweep,
    update_ticket,
)
from support.services.clocks import deadlines, timeline_of
from support.tests.factories import (
    make_agent,
    make_calendar,
    make_category,
    make_policy,
    make_ticket,
)
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.models import Alert

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 10:00 in Madrid
H = timedelta(hours=1)


def at(moment):
    return time_machine.travel(moment, tick=False)


def assert_stored_equals_recomputed(ticket):
    ticket.refresh_from_db()
    reported = set(SlaBreach.objects.filter(ticket=ticket).values_list("clock", "cycle"))
    computed = deadlines(timeline_of(ticket), reported)
    assert {name: getattr(ticket, name) for name in computed} == computed


def test_promises_count_working_time(member):
    make_policy(calendar=make_calendar(), first_response_minutes=300)
    with at(MONDAY):
        ticket = make_ticket(member)
    # Five hours from 10:00: four before lunch, one after it.
    assert ticket.first_response_due_at == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    assert ticket.next_due_at == ticket.first_response_due_at


def test_the_first_matching_policy_by_position_counts(member):
    category = make_category()
    make_policy("all", position=3)
    make_policy("urgent", position=2, priority="urgent", first_response_minutes=10)
    make_policy("orders", position=1, category=category, first_response_minutes=20)
    make_policy("off", position=0, is_active=False, first_response_minutes=1)

    def policy_of(**kwargs):
        return make_ticket(member, **kwargs).sla_version.policy.name

    assert policy_of() == "all"
    assert policy_of(priority="urgent") == "urgent"
    assert policy_of(priority="urgent", category=category) == "orders"


def test_a_new_priority_changes_the_promise_and_keeps_the_time_used(member, agent):
    make_policy("all", position=2)
    make_policy("urgent", position=1, priority="urgent", resolution_minutes=120)
    with at(MONDAY):
        ticket = make_ticket(member)
    with at(MONDAY + H):
        ticket = update_ticket(actor=agent, ticket=ticket, changes={"priority": "urgent"})
    assert ticket.resolution_due_at == MONDAY + 2 * H
    assert_stored_equals_recomputed(ticket)


def test_editing_a_policy_changes_nothing_promised_before(member, agent):
    policy = make_policy(first_response_minutes=60)
    with at(MONDAY):
        before = make_ticket(member)
    save_policy(actor=None, policy=policy, values={"first_response_minutes": 10})
    with at(MONDAY + timedelta(minutes=1)):
        after = make_ticket(member)
        update_ticket(actor=agent, ticket=before, changes={"tags": ["x"]})
    before.refresh_from_db()
    assert before.first_response_due_at == MONDAY + H
    assert after.first_response_due_at == MONDAY + timedelta(minutes=11)
    assert [v.terms["first_response_minutes"] for v in policy.versions.order_by("number")] == [
        60,
        10,
    ]


def test_an_edit_that_changes_no_term_makes_no_version(member):
    policy = make_policy()
    save_policy(actor=None, policy=policy, values={"position": 9})
    assert policy.versions.count() == 1


def test_a_new_calendar_makes_a_new_version(member):
    calendar = make_calendar()
    policy = make_policy(calendar=calendar)
    save_calendar(actor=None, calendar=calendar, values={"holidays": ["2026-03-02"]})
    policy.refresh_from_db()
    assert policy.current.number == 2
    assert policy.current.terms["calendar"]["holidays"] == ["2026-03-02"]


def test_a_policy_can_be_applied_to_open_tickets(member, agent):
    policy = make_policy(first_response_minutes=60)
    with at(MONDAY):
        ticket = make_ticket(member)
    save_policy(actor=None, policy=policy, values={"first_response_minutes": 30})
    with at(MONDAY + timedelta(minutes=5)):
        apply_to_open(actor=agent, policy=policy)
        drain()
    assert_stored_equals_recomputed(ticket)
    assert ticket.first_response_due_at == MONDAY + timedelta(minutes=30)
    assert ticket.sla_version.number == 2


def test_a_policy_in_use_is_not_deleted(member, agent):
    used, unused = make_policy("used", position=1), make_policy("unused", position=2)
    make_ticket(member)
    with pytest.raises(InUse):
        delete_policy(actor=agent, policy=used)
    delete_policy(actor=agent, policy=unused)
    assert SlaPolicyVersion.objects.count() == 1


class TestSweep:
    def test_escalates_once(self, member, agent):
        make_policy(escalate_to=make_agent(username="boss"))
        with at(MONDAY):
            ticket = make_ticket(member, assignee=agent)
        with at(MONDAY + H):
            assert sweep() == 0  # due now is not late yet
        with at(MONDAY + H + timedelta(seconds=1)):
            assert sweep() == 1
            assert sweep() == 0
        breach = SlaBreach.objects.get()
        assert (breach.clock, breach.cycle, breach.due_at) == ("first_response", 1, MONDAY + H)
        assert breach.assignee == agent
        assert Alert.objects.get(rule="support.sla_breach").count == 1
        told = AgentNotice.objects.filter(event="due")
        assert {n.user.username for n in told} == {"ada", "boss"}
        assert TicketEvent.objects.filter(ticket=ticket, kind="breach").count() == 1
        assert_stored_equals_recomputed(ticket)
        assert ticket.overdue_since == MONDAY + H
        assert ticket.next_due_at == MONDAY + 8 * H

    def test_touches_only_what_is_due(self, member, django_assert_max_num_queries):
        make_policy()
        with at(MONDAY):
            for _ in range(5):
                make_ticket(member)
        with at(MONDAY + timedelta(minutes=1)), django_assert_max_num_queries(2):
            assert sweep() == 0

    def test_a_late_answer_is_on_record_without_a_sweep(self, member, agent):
        make_policy()
        with at(MONDAY):
            ticket = make_ticket(member)
        with at(MONDAY + 2 * H):
            reply_as_staff(actor=agent, ticket=ticket, body="Sorry.")
        assert SlaBreach.objects.get().clock == "first_response"
        assert not Alert.objects.exists()  # answered: nobody needs waking
        assert_stored_equals_recomputed(ticket)
        assert ticket.overdue_since is None

    def test_resolving_calms_the_alert(self, member, agent):
        make_policy()
        with at(MONDAY):
            ticket = make_ticket(member)
        with at(MONDAY + 2 * H):
            sweep()
            update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
        assert Alert.objects.get().status == Alert.Status.RESOLVED

    def test_waiting_for_the_customer_stops_the_clock(self, member, agent):
        make_policy()
        with at(MONDAY):
            ticket = make_ticket(member)
            reply_as_staff(actor=agent, ticket=ticket, body="Which one?")
        with at(MONDAY + 99 * H):
            assert sweep() == 0
            reply_as_customer(ticket=ticket, author=member, body="The red one.")
        assert_stored_equals_recomputed(ticket)
        assert ticket.resolution_due_at == MONDAY + 107 * H
        assert ticket.next_response_due_at == MONDAY + 101 * H


def test_the_resolved_is_closed_after_some_days(member, agent):
    with at(MONDAY):
        ticket, open_one = make_ticket(member), make_ticket(member)
        update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
    with at(MONDAY + timedelta(days=6)):
        assert close_resolved() == 0
    with at(MONDAY + timedelta(days=8)):
        assert close_resolved() == 1
    ticket.refresh_from_db()
    open_one.refresh_from_db()
    assert (ticket.status, open_one.status) == ("closed", "new")


def test_a_merged_question_waits_in_its_new_place(member, agent):
    make_policy()
    with at(MONDAY):
        target, source = make_ticket(member), make_ticket(member)
        reply_as_staff(actor=agent, ticket=target, body="Hello.", status="in_progress")
    with at(MONDAY + H):
        merge_tickets(actor=agent, source=source, into=target)
    target.refresh_from_db()
    source.refresh_from_db()
    assert target.next_response_due_at == MONDAY + 3 * H
    assert source.next_due_at is None
    assert_stored_equals_recomputed(target)
    assert_stored_equals_recomputed(source)


moves = st.lists(
    st.tuples(
        st.integers(1, 60 * 60 * 40),
        st.sampled_from(
            ["staff", "customer", "note", "sweep", "priority", "close_resolved"]
            + list(lifecycle.STATUSES[1:])
        ),
    ),
    max_size=8,
)


@given(moves)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_stored_deadlines_equal_a_recompute_after_any_history(rows):
    """Whatever is done to a ticket in whatever order, the row holds what the log says."""
    from django.db import transaction

    try:
        with transaction.atomic():
            _live(rows)
            raise _Undo
    except _Undo:
        pass


class _Undo(Exception):
    """The example leaves nothing behind for the next."""


def _live(rows):
    agent, moment = make_agent(), MONDAY
    make_policy("urgent", position=1, priority="urgent", calendar=make_calendar())
    make_policy("rest", position=2)
    with at(moment):
        ticket = make_ticket()
    for seconds, move in rows:
        moment += timedelta(seconds=seconds)
        # A refused move must leave the row as it was, which is asked next.
        with at(moment), contextlib.suppress(RuleViolation):
            _do(move, ticket, agent)
        assert_stored_equals_recomputed(ticket)
        assert not Ticket.objects.filter(next_due_at__isnull=False, status="closed").exists()


def _do(move, ticket, agent):
    ticket.refresh_from_db()
    if move == "staff":
        reply_as_staff(actor=agent, ticket=ticket, body="a")
    elif move == "note":
        reply_as_staff(actor=agent, ticket=ticket, body="n", internal=True)
    elif move == "customer":
        reply_as_customer(ticket=ticket, author=ticket.requester, body="q")
    elif move == "sweep":
        sweep()
    elif move == "close_resolved":
        close_resolved()
    elif move == "priority":
        changed = "low" if ticket.priority == "urgent" else "urgent"
        update_ticket(actor=agent, ticket=ticket, changes={"priority": changed})
    else:
        update_ticket(actor=agent, ticket=ticket, changes={"status": move})


class TestApi:
    POLICIES = "/api/admin/sla-policies"

    @pytest.fixture
    def keeper(self, staff, as_user):
        return as_user(staff("operator"))

    def test_policies(self, keeper, desk):
        calendar = make_calendar()
        body = {"name": "P", "calendar": calendar.pk, "first_response_minutes": 60}
        made = keeper.post(self.POLICIES, body)
        assert made.status_code == 201
        pk = made.json()["id"]
        assert made.json()["current_version"] == 1
        changed = keeper.patch(f"{self.POLICIES}/{pk}", {"first_response_minutes": 30})
        assert changed.json()["current_version"] == 2
        stale = keeper.patch(f"{self.POLICIES}/{pk}", {"position": 1}, headers={"If-Match": '"1"'})
        problem(stale, 412)
        assert desk.get(f"{self.POLICIES}/{pk}").json()["name"] == "P"
        problem(desk.patch(f"{self.POLICIES}/{pk}", {}), 403)
        assert keeper.post(f"{self.POLICIES}/{pk}/apply").status_code == 202
        assert keeper.delete(f"{self.POLICIES}/{pk}").status_code == 204
        problem(keeper.post(self.POLICIES, {"name": "Q", "calendar": calendar.pk}), 400)
        problem(keeper.post(self.POLICIES, {**body, "resolution_minutes": 0}), 400)
        problem(keeper.post(self.POLICIES, {**body, "calendar": 99}), 400, field="calendar")

    def test_a_name_twice_is_refused(self, keeper):
        make_policy("P")
        calendar = make_calendar()
        body = {"name": "P", "calendar": calendar.pk, "first_response_minutes": 60}
        problem(keeper.post(self.POLICIES, body), 400, field="name")

    @pytest.mark.parametrize(
        ("field", "value"),
        [("windows", {"7": [["09:00", "10:00"]]}), ("windows", {"0": [["10:00", "09:00"]]}),
         ("windows", {"0": [["x", "y"]]}), ("timezone", "Mars/Olympus"), ("timezone", "../etc"),
         ("holidays", ["2026-02-30"]), ("windows", {"x": [["09:00", "10:00"]]}),
         ("windows", {"0": [["09:00"]]})],
    )  # fmt: skip
    def test_calendars_that_are_none(self, keeper, field, value):
        body = {"name": "C", "timezone": "UTC", "windows": {}, "holidays": [], field: value}
        problem(keeper.post("/api/admin/business-calendars", body), 400)

    def test_calendars(self, keeper):
        body = {"name": "C", "timezone": "Europe/Madrid", "holidays": ["2026-12-25"],
                "windows": {"0": [["09:00", "14:00"], ["15:00", "24:00"]]}}  # fmt: skip
        made = keeper.post("/api/admin/business-calendars", body)
        assert made.status_code == 201
        assert made.json()["holidays"] == ["2026-12-25"]
        url = f"/api/admin/business-calendars/{made.json()['id']}"
        assert keeper.patch(url, {"holidays": []}).json()["version"] == 2
        assert keeper.delete(url).status_code == 204
        policy = make_policy()
        problem(keeper.delete(f"/api/admin/business-calendars/{policy.calendar_id}"), 409, "in_use")
