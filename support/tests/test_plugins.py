"""What the desk plugs into the house: figures, checks, panels, work lists, demo data, reports."""

import random
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from support import account, demo, stats, status, worklists
from support.models import SlaBreach, Ticket, TicketRating
from support.querysets.reports import build_report, percentile
from support.services import reply_as_staff, update_ticket
from support.tests.factories import make_category, make_policy, make_ticket
from systemadmin.foundation.plugins import DemoWorld
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


def period():
    now = timezone.now()
    return now - timedelta(days=1), now + timedelta(days=1)


def test_figures_count_what_happened(agent, member):
    ticket = make_ticket(member)
    make_ticket(member)
    update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
    TicketRating.objects.create(ticket=ticket, score=4, rated_at=timezone.now())
    values = {stat.code: stat.compute(*period()) for stat in stats.STATS}
    assert values == {
        "tickets_opened": 2,
        "tickets_resolved": 1,
        "tickets_by_status": {"new": 1, "resolved": 1},
        "ticket_targets_missed": 0,
        "ticket_satisfaction": 80.0,
        "ticket_askers": 1,
    }
    series = stats.tickets_opened_series(*period(), "day", timezone.get_default_timezone())
    assert [count for _day, count in series] == [0, 2, 0]
    for stat in stats.STATS:
        assert stat.series is None or stat.series(
            *period(), "hour", timezone.get_default_timezone()
        )


def test_status_warns_when_things_stand_still(member):
    assert status.check()["status"] == "ok"
    make_ticket(member)
    Ticket.objects.update(next_due_at=timezone.now() - timedelta(hours=1))
    assert status.check()["status"] == "warning"
    values = {metric.name: metric.read() for metric in status.METRICS}
    assert values["support_open_tickets"] == 1
    assert values["support_overdue_tickets"] == 1
    assert values["support_unassigned_tickets"] == 1


def test_the_account_page_has_its_corner(member, agent):
    make_ticket(member)
    rows = {str(label): value for label, value, _url in account.summary(member)}
    assert rows == {"Tickets": 1, "Open": 1, "Average rating": "-"}


def test_work_lists_count_and_lead_somewhere(member, agent, admin_client_for):
    make_ticket(member)
    make_ticket(member, assignee=agent)
    counts = {str(w.title): w.count(agent) for w in worklists.WORKLISTS}
    assert counts["My tickets"] == 1
    assert counts["Tickets nobody has taken"] == 1
    browser = admin_client_for(agent)
    for worklist in worklists.WORKLISTS:
        assert browser.get(worklist.url()).status_code == 200


def world():
    members = [UserFactory(is_demo=True) for _ in range(5)]
    return DemoWorld(
        rng=random.Random(7),
        now=timezone.now(),
        members=members,
        staff={"support_agent": StaffFactory(role="support_agent", is_demo=True)},
    )


def test_demo_data_is_made_and_leaves_nothing_behind(member, settings):
    settings.DEMO_MODE = True
    kept = make_ticket(member)
    demo.seed(world())
    assert Ticket.objects.count() == demo.TICKETS + 1
    statuses = set(Ticket.objects.values_list("status", flat=True))
    assert {"new", "waiting_customer", "resolved"} <= statuses
    assert TicketRating.objects.exists()
    assert SlaBreach.objects.exists()
    assert Ticket.objects.order_by("created_at").first().created_at < timezone.now() - timedelta(
        days=3
    )
    for _label, queryset in demo.purge_queryset_list():
        queryset.delete()
    assert list(Ticket.objects.all()) == [kept]


class TestReports:
    def test_counts_and_speeds(self, agent, member):
        make_policy()
        category = make_category()
        for _ in range(3):
            ticket = make_ticket(member, category=category, assignee=agent)
            reply_as_staff(actor=agent, ticket=ticket, body="x", status="resolved")
        make_ticket(member)
        Ticket.objects.filter(resolved_at__isnull=False).update(
            first_response_seconds=100, resolution_seconds=200
        )
        Ticket.objects.filter(pk=ticket.pk).update(first_response_seconds=300)
        report = build_report(None, *period())
        assert (report.opened, report.resolved, report.answers, report.backlog) == (4, 3, 3, 1)
        assert report.speed.first_response_median == 100
        assert report.speed.first_response_p90 == pytest.approx(260)
        assert report.speed.resolution_median == 200
        assert [(row.name, row.speed.count) for row in report.agents] == [("ada", 3), ("", 1)]
        assert [(row.name, row.speed.count) for row in report.categories] == [
            ("Orders", 3),
            ("", 1),
        ]
        assert sum(n for _day, n in report.opened_by_day) == 4
        assert report.backlog_ages[0] == ("< 1", 1)
        assert sum(n for _label, n in report.backlog_ages) == 1

    def test_the_ages_share_the_backlog_out(self, member):
        for days in (0, 2, 5, 10, 20, 40):
            ticket = make_ticket(member)
            Ticket.objects.filter(pk=ticket.pk).update(
                created_at=timezone.now() - timedelta(days=days, hours=1)
            )
        assert [n for _label, n in build_report(None, *period()).backlog_ages] == [1] * 6

    @pytest.mark.parametrize(
        ("values", "share", "expected"),
        [([], 0.5, None), ([7], 0.9, 7), ([1, 2], 0.5, 1.5), ([1, 2, 3, 4], 0.9, 3.7)],
    )
    def test_percentiles_interpolate(self, values, share, expected):
        assert percentile(values, share) == (expected and pytest.approx(expected))

    def test_over_the_api(self, desk, member):
        make_ticket(member)
        today = timezone.now().date().isoformat()
        url, params = "/api/admin/support/reports", {"start": today, "end": today}
        assert desk.get(url, params).json()["opened"] == 1
        assert desk.get(f"{url}/csv", params).content.decode().startswith("section,name")
        problem(desk.get(url), 400, field="start")
        problem(desk.get(url, {**params, "end": "2020-01-01"}), 400, field="end")
        problem(desk.get(url, {**params, "odd": "1"}), 400, field="odd")

    def test_a_name_is_no_formula(self, agent, member):
        make_ticket(
            member,
            category=make_category(
                "x",
            ),
        )
        type(make_category("evil")).objects.update(name="=cmd()")
        from support.querysets.report_csv import csv_of

        assert "'=cmd()" in csv_of(build_report(None, *period()))


def test_the_changelist_takes_the_account_link(admin_client_for, agent, member):
    make_ticket(member)
    url = account.summary(member)[0][2]
    assert admin_client_for(agent).get(url).status_code == 200
    assert reverse("admin:support_ticket_changelist") in url
