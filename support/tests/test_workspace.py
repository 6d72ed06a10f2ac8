"""The ticket workspace: queues, drafts, sending on, setting aside, own views; by page and API."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from support.models import Macro, ReplyDraft, SavedView, Ticket
from support.services import reply_as_customer, reply_as_staff
from support.tests.factories import make_agent, make_policy, make_template, make_ticket
from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.models import AuditEntry
from systemadmin.tests.pictures import png

pytestmark = pytest.mark.django_db
WORK = "/admin/support/ticket/work/"
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def browser(agent, admin_client_for):
    return admin_client_for(agent)


def page(ticket, queue="mine"):
    return f"/admin/support/ticket/{ticket.pk}/change/?queue={queue}"


def subjects(answer):
    return [row.subject for row, _url, _level in answer.context["rows"]]


def due(ticket, minutes):
    Ticket.objects.filter(pk=ticket.pk).update(
        next_due_at=timezone.now() + timedelta(minutes=minutes)
    )
    return ticket


class TestQueues:
    def test_lists_what_is_due_first_and_opens_it(self, browser, agent, member):
        make_ticket(member, subject="Without promise", assignee=agent)
        due(make_ticket(member, subject="Later", assignee=agent), 50)
        due(make_ticket(member, subject="Sooner", assignee=agent), 5)
        answer = browser.get(WORK)
        assert subjects(answer) == ["Sooner", "Later", "Without promise"]
        assert answer.context["ticket"].subject == "Sooner"
        assert "queue=mine" in answer.context["following"]

    def test_a_row_begins_with_words_and_not_with_marks(self, browser, agent, member):
        ticket = make_ticket(member, assignee=agent)
        reply_as_staff(actor=agent, ticket=ticket, body="**Sent today**\n\n2 * 3 ** 4 by post")
        html = browser.get(WORK).content.decode()
        row = re.search(r'<span class="at-item-snip at-cut">([^<]*)</span>', html)[1]
        assert " ".join(row.split()) == "Sent today 2 * 3 ** 4 by post"

    def test_an_agent_with_nothing_starts_where_something_waits(self, browser, member):
        make_ticket(member, subject="Free one")
        assert browser.get(WORK).context["queue"].code == "unassigned"

    def test_table_and_workspace_count_the_same_tickets_in_each_queue(self, browser, agent, member):
        for minutes in (-5, 50):
            due(make_ticket(member, assignee=agent), minutes)
        make_ticket(member)
        snoozed = due(make_ticket(member, assignee=agent), -5)
        later = timezone.now() + timedelta(days=1)
        Ticket.objects.filter(pk=snoozed.pk).update(snoozed_until=later)
        work = {tab.code: tab.count for tab in browser.get(WORK).context["queue"].tabs}
        table = browser.get("/admin/support/ticket/").context["queues"]
        assert {tab.code: tab.count for tab in table} == work
        assert work == {"mine": "2", "unassigned": "1", "overdue": "1", "open": "3", "snoozed": "1"}
        for code, count in work.items():
            listed = browser.get("/admin/support/ticket/", {"queue": code}).context["cl"]
            assert str(listed.result_count) == count, code

    def test_an_empty_queue_says_so(self, browser):
        assert "All clear" in browser.get(WORK).content.decode()

    def test_what_somebody_wrote_is_unread_until_it_was_opened(self, browser, agent, member):
        ticket = make_ticket(member, assignee=agent)
        other = due(make_ticket(member, assignee=agent), 5)

        def unread():
            listed = browser.get(page(other)).context["rows"]
            return {row.pk for row, _url, _level in listed if row.is_unread}

        assert unread() == {ticket.pk}
        browser.get(page(ticket))
        assert unread() == set()
        reply_as_staff(actor=agent, ticket=ticket, body="Mine is no news to me.")
        assert unread() == set()
        reply_as_customer(ticket=ticket, author=member, body="And now?")
        assert unread() == {ticket.pk}

    def test_search_finds_over_all_queues(self, browser, member):
        make_ticket(member, subject="Zebra crossing")
        make_ticket(member, subject="Something else")
        assert subjects(browser.get(WORK, {"q": "zebra"})) == ["Zebra crossing"]

    def test_queries_do_not_grow(self, browser, agent, member):
        make_policy()
        ticket = make_ticket(member, assignee=agent)
        assert_constant_queries(
            lambda: browser.get(page(ticket)),
            lambda: [make_ticket(assignee=agent) for _ in range(5)],
        )

    def test_the_list_alone_for_a_page_that_is_open(self, browser, agent, member):
        ticket = make_ticket(member, assignee=agent)
        html = browser.get(page(ticket) + "&part=list", **HTMX).content.decode()
        assert "work-rows" in html
        assert "reply-form" not in html


class TestSending:
    def test_sends_and_goes_on_to_the_next(self, browser, agent, member):
        first = due(make_ticket(member, assignee=agent), 5)
        second = due(make_ticket(member, subject="The next", assignee=agent), 50)
        data = {"operation": "reply", "body": "Done.", "then": "next"}
        answer = browser.post(page(first), data)
        assert answer.headers["Location"] == page(second)
        assert first.replies.last().body == "Done."

    def test_to_htmx_it_answers_with_the_next_ticket(self, browser, agent, member):
        first = due(make_ticket(member, assignee=agent), 5)
        due(make_ticket(member, subject="The next", assignee=agent), 50)
        data = {"operation": "reply", "body": "Done.", "then": "resolve"}
        answer = browser.post(page(first), data, **HTMX)
        first.refresh_from_db()
        assert first.status == "resolved"
        assert answer.context["ticket"].subject == "The next"
        assert "<html" not in answer.content.decode()

    def test_it_says_what_was_done(self, browser, agent, member):
        ticket = make_ticket(member, subject="Buy followers", assignee=agent)
        answer = browser.post(page(ticket), {"operation": "spam"}, **HTMX)
        assert "Marked as spam: Buy followers" in answer.content.decode()
        answer = browser.post(page(ticket), {"operation": "not_spam"}, **HTMX)
        assert "No longer spam: Buy followers" in answer.content.decode()

    def test_the_last_one_leads_to_all_clear(self, browser, agent, member):
        ticket = make_ticket(member, assignee=agent)
        data = {"operation": "reply", "body": "Done.", "then": "resolve"}
        assert "All clear" in browser.post(page(ticket), data, **HTMX).content.decode()

    def test_a_refusal_leaves_the_box_and_brings_what_is_new(self, browser, agent, member):
        ticket = make_ticket(member, assignee=agent)
        seen = ticket.last_reply_id
        reply_as_customer(ticket=ticket, author=member, body="Wait, I found it.")
        data = {"operation": "reply", "body": "On its way", "expected_last_reply": seen}
        answer = browser.post(page(ticket), data, **HTMX)
        html = answer.content.decode()
        assert answer.headers["HX-Retarget"] == "#work-notice"
        assert "Someone replied meanwhile" in html
        assert "Wait, I found it." in html
        assert "reply-body" not in html

    def test_status_assignee_and_priority_by_one_button(self, browser, agent, member):
        ticket = make_ticket(member)
        for data in ({"assignee": agent.pk}, {"status": "in_progress"}, {"priority": "high"}):
            browser.post(page(ticket), {"operation": "set", **data})
        ticket.refresh_from_db()
        assert (ticket.assignee, ticket.status, ticket.priority) == (agent, "in_progress", "high")

    def test_a_picture_is_shown_and_a_text_is_not(self, browser, agent, member):
        ticket = make_ticket(member)
        reply = reply_as_staff(
            actor=agent, ticket=ticket, body="See", attachments=[SimpleUploadedFile("a.png", png())]
        )
        file = reply.attachments.get()
        url = f"/admin/support/ticket/{ticket.pk}/attachment/{file.pk}/picture/"
        assert browser.get(url)["Content-Type"] == "image/png"
        type(file).objects.update(content_type="text/plain")
        assert browser.get(url).status_code == 404

    def test_a_file_that_is_no_picture_shows_its_type_and_size(self, browser, agent, member):
        ticket = make_ticket(member)
        files = [SimpleUploadedFile("Invoice.pdf", b"%PDF-1.4 x", content_type="application/pdf")]
        reply_as_staff(actor=agent, ticket=ticket, body="See", attachments=files)
        html = browser.get(page(ticket)).content.decode()
        sign = re.search(r'<span class="at-file-i">(.*?)</span>', html, re.S)[1]
        assert "#file-text" in sign
        assert sign.endswith("PDF")
        assert "10\xa0bytes" in html

    def test_merging_is_in_the_menu_of_the_ticket_with_its_key(
        self, browser, agent, member, admin_client_for, staff
    ):
        ticket, other = make_ticket(member), make_ticket(member)
        html = browser.get(page(ticket)).content.decode()
        assert 'data-open="#merge" data-key="u"' in html
        assert ("Merge into another ticket", "U") in browser.get(page(ticket)).context["page_keys"][
            0
        ][1]
        browser.post(page(ticket), {"operation": "merge", "ticket": other.number})
        ticket.refresh_from_db()
        assert ticket.merged_into == other
        assert 'data-open="#merge"' not in browser.get(page(ticket)).content.decode()


class TestDrafts:
    def put(self, client, ticket, **data):
        return client.put(f"/api/admin/tickets/{ticket.pk}/draft", data)

    def test_what_is_typed_is_there_on_another_machine(
        self, browser, agent, member, admin_client_for
    ):
        ticket = make_ticket(member)
        url = f"/admin/support/ticket/{ticket.pk}/draft/"
        saved = browser.post(url, {"kind": "public", "body": "Half an answ"})
        assert saved.json() == {"version": 1}
        assert "Half an answ" in admin_client_for(agent).get(page(ticket)).content.decode()
        others = admin_client_for(make_agent(username="bob")).get(page(ticket)).content.decode()
        assert "Half an answ" not in others

    def test_two_windows_do_not_overwrite_each_other(self, browser, member):
        url = f"/admin/support/ticket/{make_ticket(member).pk}/draft/"
        first = {"kind": "public", "expected_version": 0}
        assert browser.post(url, {**first, "body": "One"}).status_code == 200
        other = browser.post(url, {**first, "body": "Two"})
        assert other.status_code == 409
        assert (other.json()["body"], other.json()["version"]) == ("One", 1)
        kept = {"kind": "public", "expected_version": 1, "body": "Two"}
        assert browser.post(url, kept).json() == {"version": 2}

    def test_reply_and_note_are_two_drafts_and_sending_ends_its_own(self, browser, agent, member):
        ticket = make_ticket(member)
        url = f"/admin/support/ticket/{ticket.pk}/draft/"
        browser.post(url, {"kind": "public", "body": "To you"})
        browser.post(url, {"kind": "internal", "body": "To us"})
        browser.post(page(ticket), {"operation": "reply", "body": "To us", "internal": "1"})
        assert list(ReplyDraft.objects.values_list("kind", "body")) == [("public", "To you")]

    def test_a_macro_leaves_what_was_typed(self, browser, agent, member):
        ticket, macro = make_ticket(member), Macro.objects.create(name="High", priority="high")
        browser.post(
            f"/admin/support/ticket/{ticket.pk}/draft/", {"kind": "public", "body": "Typed"}
        )
        browser.post(page(ticket), {"operation": "macro", "macro": macro.pk})
        assert ReplyDraft.objects.get().body == "Typed"

    def test_without_a_script_a_button_saves_and_a_template_is_put_behind(self, browser, member):
        ticket, template = make_ticket(member), make_template()
        data = {"operation": ["reply", "draft"], "body": "First"}
        browser.post(page(ticket), data)
        browser.post(page(ticket), {"operation": "reply", "use": template.pk, "body": "First"})
        assert ReplyDraft.objects.get().body == f"First\n\nHello Marta, about {ticket.number}."
        assert ticket.replies.count() == 1

    def test_by_the_api(self, as_user, agent, member):
        client, ticket = as_user(agent), make_ticket(member)
        assert self.put(client, ticket, kind="public", body="Hi").json()["version"] == 1
        stale = self.put(client, ticket, kind="public", body="Ho", expected_version=0)
        assert (stale.status_code, stale.json()["code"]) == (409, "draft_changed_elsewhere")
        rows = client.get(f"/api/admin/tickets/{ticket.pk}/drafts").json()
        assert [row["body"] for row in rows] == ["Hi"]
        assert self.put(client, ticket, kind="public", body=" ").status_code == 204
        assert client.get(f"/api/admin/tickets/{ticket.pk}/drafts").json() == []
        wrong = self.put(client, ticket, kind="letter", body="x")
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "kind")

    def test_the_search_of_templates_puts_the_tickets_language_first(self, browser, member):
        ticket = make_ticket(member)
        make_template(code="a", title="Abrir", language="es")
        make_template(code="b", title="Begin", language="en")
        url = f"/admin/support/ticket/{ticket.pk}/templates/"
        html = browser.get(url).content.decode()
        assert html.index("Begin") < html.index("Abrir")
        assert "Begin" not in browser.get(url, {"words": "abr"}).content.decode()


class TestSnoozing:
    def test_it_leaves_the_queue_and_comes_back_with_the_customer(
        self, browser, agent, member, as_user
    ):
        ticket = make_ticket(member, assignee=agent)
        until = (timezone.now() + timedelta(days=1)).isoformat(timespec="seconds")
        browser.post(page(ticket), {"operation": "snooze", "until": until})
        assert subjects(browser.get(WORK, {"queue": "mine"})) == []
        assert subjects(browser.get(WORK, {"queue": "snoozed"})) == [ticket.subject]
        assert AuditEntry.objects.filter(action="support.ticket.snoozed").exists()
        reply_as_customer(ticket=ticket, author=member, body="Hello?")
        assert subjects(browser.get(WORK, {"queue": "mine"})) == [ticket.subject]

    def test_it_comes_back_by_itself(self, browser, agent, member):
        ticket = make_ticket(member, assignee=agent)
        gone = timezone.now() - timedelta(seconds=1)
        Ticket.objects.filter(pk=ticket.pk).update(snoozed_until=gone)
        assert subjects(browser.get(WORK, {"queue": "mine"})) == [ticket.subject]

    def test_by_the_api(self, as_user, agent, member):
        client, ticket = as_user(agent), make_ticket(member)
        url = f"/api/admin/tickets/{ticket.pk}/snooze"
        until = timezone.now() + timedelta(hours=2)
        assert client.post(url, {"until": until.isoformat()}).json()["snoozed_until"]
        past = client.post(url, {"until": "2020-01-01T00:00:00Z"})
        assert (past.status_code, past.json()["errors"][0]["field"]) == (400, "until")
        assert client.post(url, {"until": None}).json()["snoozed_until"] is None
        client.patch(f"/api/admin/tickets/{ticket.pk}", {"status": "resolved"})
        done = client.post(url, {"until": until.isoformat()})
        assert (done.status_code, done.json()["code"]) == (409, "ticket_done")

    def test_a_moment_is_read_in_the_persons_zone(self, browser, agent, member):
        browser.cookies["atalaya_zone"] = "America/Bogota"
        ticket = make_ticket(member, assignee=agent)
        day = (timezone.now() + timedelta(days=3)).date()
        data = {"operation": "snooze", "until": "custom", "moment": f"{day}T09:00"}
        browser.post(page(ticket), data)
        ticket.refresh_from_db()
        assert ticket.snoozed_until.isoformat() == f"{day}T14:00:00+00:00"


class TestViews:
    def test_a_shared_view_is_everybodys_list_and_its_owners_to_change(
        self, browser, agent, member, admin_client_for, as_user
    ):
        make_ticket(member, subject="Urgent one", priority="urgent")
        make_ticket(member, subject="Other")
        data = {"name": "Hot", "which": "open", "priority": "urgent", "is_shared": "on"}
        browser.post("/admin/support/ticket/views/", data)
        view = SavedView.objects.get()
        bob = make_agent(username="bob")
        listed = admin_client_for(bob).get(WORK, {"queue": f"view-{view.pk}"})
        assert subjects(listed) == ["Urgent one"]
        refused = as_user(bob).patch(f"/api/admin/ticket-views/{view.pk}", {"name": "Cold"})
        assert refused.status_code == 403
        view.refresh_from_db()
        assert view.name == "Hot"

    def test_an_own_view_is_nobody_elses(self, agent, as_user):
        client = as_user(agent)
        made = client.post("/api/admin/ticket-views", {"name": "Mine", "whose": "mine"})
        assert made.status_code == 201
        url = f"/api/admin/ticket-views/{made.json()['id']}"
        assert as_user(make_agent(username="bob")).get(url).status_code == 404
        again = client.post("/api/admin/ticket-views", {"name": "Mine"})
        assert again.status_code == 400
        assert client.delete(url).status_code == 204

    def test_a_view_is_deleted_on_its_page(self, browser, agent):
        view = SavedView.objects.create(owner=agent, name="Mine")
        browser.post("/admin/support/ticket/views/", {"view": view.pk, "delete": "1"})
        assert not SavedView.objects.exists()


def test_an_auditor_reads_and_has_nothing_to_send(staff, admin_client_for, member):
    ticket = make_ticket(member)
    auditor = admin_client_for(staff("auditor"))
    assert "reply-form" not in auditor.get(page(ticket, "open")).content.decode()
    url = f"/admin/support/ticket/{ticket.pk}/draft/"
    assert auditor.post(url, {"kind": "public", "body": "x"}).status_code == 403
    assert auditor.post(page(ticket), {"operation": "snooze", "until": ""}).status_code == 403
