"""The admin: queues, the working page, actions on the selected, and who may not."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from support.models import (
    BusinessCalendar,
    Category,
    Faq,
    Macro,
    Mailbox,
    ReplyTemplate,
    SlaPolicy,
    Ticket,
)
from support.services import reply_as_staff, save_macro, store_mail
from support.tests.factories import (
    make_agent,
    make_calendar,
    make_category,
    make_faq,
    make_mailbox,
    make_policy,
    make_template,
    make_ticket,
)
from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "/admin/support/ticket/"


@pytest.fixture
def browser(agent, admin_client_for):
    return admin_client_for(agent)


@pytest.fixture
def boss(superuser, admin_client_for):
    return admin_client_for(superuser)


def page(ticket):
    return f"{LIST}{ticket.pk}/change/"


def act(browser, shown, operation, **data):
    return browser.post(page(shown), {"operation": operation, **data}, follow=True)


def run(browser, action, tickets, **data):
    body = {"action": action, "_selected_action": [t.pk for t in tickets], **data}
    return browser.post(LIST, body, follow=True)


class TestQueues:
    def test_each_queue_shows_its_tickets(self, browser, agent, member):
        free, own = make_ticket(member, subject="Free one"), make_ticket(member, assignee=agent)
        rows = browser.get(LIST, {"queue": "mine"}).content.decode()
        assert page(own) in rows
        assert page(free) not in rows
        rows = browser.get(LIST, {"queue": "unassigned"}).content.decode()
        assert page(free) in rows
        assert page(own) not in rows
        assert "0 tickets" in browser.get(LIST, {"queue": "overdue"}).content.decode()
        assert page(own) in browser.get(LIST, {"queue": "open"}).content.decode()

    def test_search_reads_replies(self, browser, agent, member):
        ticket = make_ticket(member)
        reply_as_staff(actor=agent, ticket=ticket, body="The courier found it in Zamora.")
        make_ticket(member)
        found = browser.get(LIST, {"q": "zamo"}).content.decode()
        assert found.count("field-number") == 1
        assert ticket.number in found

    def test_queries_do_not_grow(self, browser, member):
        make_ticket(member)
        assert_constant_queries(
            lambda: browser.get(LIST),
            lambda: [make_ticket(assignee=make_agent()) for _ in range(5)],
        )


class TestPage:
    def test_shows_the_conversation_and_the_customer(self, browser, agent, member):
        ticket = make_ticket(member, body="It is **lost**.")
        reply_as_staff(actor=agent, ticket=ticket, body="Careful <script>x</script>", internal=True)
        html = browser.get(page(ticket)).content.decode()
        assert "<strong>lost</strong>" in html
        assert "Internal note" in html
        assert "<script>x" not in html
        assert "Marta" in html
        assert member.email in html

    def test_has_nothing_inline(self, browser, member):
        html = browser.get(page(make_ticket(member))).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)
        assert not re.search(r"<[^>]+\son\w+=", html)
        own = html[html.index('id="work"') :]
        assert "style=" not in own[: own.index("</aside>")]

    def test_answers(self, browser, agent, member):
        ticket = make_ticket(member)
        act(
            browser,
            ticket,
            "reply",
            body="On its way.",
            expected_last_reply=ticket.last_reply_id,
            attachments=[SimpleUploadedFile("a.txt", b"x"), SimpleUploadedFile("b.txt", b"y")],
        )
        reply = ticket.replies.last()
        assert (reply.body, reply.author, reply.source) == ("On its way.", agent, "admin")
        assert reply.attachments.count() == 2
        url = f"{LIST}{ticket.pk}/attachment/{reply.attachments.first().pk}/"
        assert b"".join(browser.get(url).streaming_content) == b"x"
        other = make_ticket(member)
        assert browser.get(url.replace(f"/{ticket.pk}/", f"/{other.pk}/")).status_code == 404

    def test_replies_that_cross_are_refused_and_the_text_kept(self, browser, member):
        ticket = make_ticket(member)
        seen = ticket.last_reply_id
        theirs = reply_as_staff(actor=make_agent(username="bob"), ticket=ticket, body="Mine first.")
        answer = act(browser, ticket, "reply", body="My long answer", expected_last_reply=seen)
        html = answer.content.decode()
        assert "Someone replied meanwhile" in html
        assert "My long answer" in html
        assert f'name="expected_last_reply" value="{theirs.pk}"' in html
        assert ticket.replies.count() == 2

    def test_changes_properties_with_a_version(self, browser, agent, member):
        ticket, category = make_ticket(member), make_category()
        data = {"status": "in_progress", "priority": "high", "assignee": agent.pk,
                "category": category.pk, "tags": "late, parcel", "version": 1}  # fmt: skip
        act(browser, ticket, "change", **data)
        ticket.refresh_from_db()
        assert (ticket.status, ticket.priority, ticket.assignee) == ("in_progress", "high", agent)
        assert {t.name for t in ticket.tags.all()} == {"late", "parcel"}
        stale = act(browser, ticket, "change", **{**data, "priority": "low"})
        assert "changed since you read it" in stale.content.decode()
        ticket.refresh_from_db()
        assert ticket.priority == "high"

    def test_takes_merges_links_splits_and_applies_macros(self, browser, agent, member):
        ticket, other = make_ticket(member), make_ticket(member)
        act(browser, ticket, "take")
        ticket.refresh_from_db()
        assert ticket.assignee == agent
        act(browser, ticket, "link", ticket=other.number)
        assert other in Ticket.objects.linked_to(ticket)
        macro = save_macro(actor=agent, values={"name": "Urgent", "priority": "urgent"})
        act(browser, ticket, "macro", macro=macro.pk)
        ticket.refresh_from_db()
        assert ticket.priority == "urgent"
        reply = reply_as_staff(actor=agent, ticket=ticket, body="Another matter")
        act(browser, ticket, "split", subject="Apart", replies=[reply.pk])
        assert Ticket.objects.get(subject="Apart").replies.get() == reply
        act(browser, ticket, "merge", ticket=str(other.pk))
        ticket.refresh_from_db()
        assert ticket.merged_into == other
        assert (
            "no such ticket"
            in act(browser, other, "merge", ticket="T-2026-999999").content.decode()
        )

    def test_tells_who_else_is_looking(self, browser, agent, member, admin_client_for):
        ticket = make_ticket(member)
        bob = admin_client_for(make_agent(username="bob"))
        bob.get(page(ticket))
        assert "bob" in browser.get(page(ticket)).content.decode()
        url = f"{LIST}{ticket.pk}/presence/"
        bob.post(url, {"writing": "1"})
        state = browser.post(url, {}).json()
        assert state == {
            "others": [{"name": "bob", "writing": True}],
            "last_reply": ticket.last_reply_id,
        }
        assert browser.get(url).status_code == 405

    def test_fills_a_template_in(self, browser, member):
        ticket, template = make_ticket(member), make_template()
        answer = browser.get(f"{LIST}{ticket.pk}/template/{template.pk}/").json()
        assert answer["body"] == f"Hello Marta, about {ticket.number}."
        assert browser.get(f"{LIST}{ticket.pk}/template/999/").status_code == 404

    def test_opens_a_ticket_for_a_member(self, browser, member):
        data = {"user": member.email, "subject": "Call", "body": "She called.", "priority": "low"}
        browser.post(f"{LIST}add/", data)
        assert Ticket.objects.get().requester == member
        again = browser.post(f"{LIST}add/", {**data, "user": "nobody"})
        assert "no such account" in again.content.decode()

    @pytest.mark.parametrize("pk", ["999999", "x", "9" * 30])
    def test_missing(self, browser, pk):
        assert browser.get(f"{LIST}{pk}/change/").status_code == 404


class TestActions:
    def test_reply_with_template(self, browser, member, other_member):
        tickets = [make_ticket(member), make_ticket(other_member)]
        template = make_template()
        assert tickets[0].number in run(browser, "reply_with_template", tickets).content.decode()
        assert all(t.replies.count() == 1 for t in tickets)
        run(
            browser,
            "reply_with_template",
            tickets,
            apply="1",
            template=template.pk,
            status="resolved",
        )
        for ticket in tickets:
            ticket.refresh_from_db()
            assert ticket.status == "resolved"
            assert ticket.number in ticket.replies.last().body

    def test_the_rest(self, browser, agent, member):
        first, second = make_ticket(member), make_ticket(member)
        run(browser, "assign_to_me", [first, second])
        run(browser, "set_priority", [first, second], apply="1", priority="urgent")
        run(browser, "resolve", [first])
        run(browser, "close", [second])
        for ticket, status in ((first, "resolved"), (second, "closed")):
            ticket.refresh_from_db()
            assert (ticket.assignee, ticket.priority, ticket.status) == (agent, "urgent", status)

    def test_merge(self, browser, member, other_member):
        first, second, third = make_ticket(member), make_ticket(member), make_ticket(other_member)
        html = run(
            browser, "merge", [first, second, third], apply="1", ticket=second.number
        ).content.decode()
        first.refresh_from_db()
        assert first.merged_into == second
        third.refresh_from_db()
        assert third.merged_into is None
        assert "different people" in html  # refusals are told row by row

    def test_a_refusal_does_not_stop_the_others(self, browser, agent, member):
        done, fine = make_ticket(member), make_ticket(member)
        run(browser, "close", [done])
        html = run(browser, "resolve", [done, fine]).content.decode()
        assert "cannot become" in html
        fine.refresh_from_db()
        assert fine.status == "resolved"


class TestWhoMay:
    def test_auditors_look_and_change_nothing(self, staff, admin_client_for, member):
        ticket = make_ticket(member)
        auditor = admin_client_for(staff("auditor"))
        html = auditor.get(page(ticket)).content.decode()
        assert ticket.number in html
        assert "reply-form" not in html
        for operation in ("reply", "change", "take", "macro", "merge", "link", "split"):
            answer = auditor.post(page(ticket), {"operation": operation, "body": "x"})
            assert answer.status_code == 403, operation
        assert 'name="action"' not in auditor.get(LIST).content.decode()
        auditor.post(LIST, {"action": "close", "_selected_action": [ticket.pk]})
        ticket.refresh_from_db()
        assert ticket.status == "new"
        assert auditor.get(f"{LIST}add/").status_code == 403

    @pytest.mark.parametrize("role", ["marketplace_moderator", "risk_analyst"])
    def test_other_desks_do_not_look(self, staff, admin_client_for, member, role):
        other = admin_client_for(staff(role))
        assert other.get(LIST).status_code == 403
        assert other.get(page(make_ticket(member))).status_code == 403
        assert other.get(f"{LIST}reports/").status_code == 403

    def test_members_are_sent_to_sign_in(self, member, admin_client_for):
        assert admin_client_for(member).get(LIST).status_code == 302


class TestReports:
    def test_figures_charts_and_csv(self, browser, agent, member):
        make_policy()
        ticket = make_ticket(member, category=make_category(), assignee=agent)
        reply_as_staff(actor=agent, ticket=ticket, body="Done.", status="resolved")
        html = browser.get(f"{LIST}reports/").content.decode()
        assert "<svg" in html
        assert "ada" in html
        assert "style=" not in html[html.index("<svg") : html.rindex("</svg>")]
        text = browser.get(f"{LIST}reports.csv").content.decode()
        assert text.splitlines()[1].startswith("total,,1,0,0,0,0,0,")
        assert "agent,ada,1" in text
        assert "category,Orders,1" in text

    def test_a_wrong_period_is_said(self, browser):
        answer = browser.get(f"{LIST}reports/", {"start": "2026-02-01", "end": "2026-01-01"})
        assert "the first day first" in answer.content.decode()


KEPT = [
    (ReplyTemplate, make_template, {"code": "c", "language": "en", "title": "T", "body": "B"}),
    (Faq, make_faq, {"question": "Q", "answer": "A", "language": "en", "position": 0}),
    (Category, make_category, {"code": "c", "name": "N", "position": 0}),
    (BusinessCalendar, make_calendar,
     {"name": "N", "timezone": "UTC", "windows": "{}", "holidays": "[]"}),
]  # fmt: skip


NAMES = [model.__name__ for model, _make, _form in KEPT]


class TestKept:
    @pytest.mark.parametrize(
        ("model", "make", "form"), KEPT, ids=lambda x: getattr(x, "__name__", "")
    )
    def test_add_change_delete(self, boss, model, make, form):
        base = f"/admin/support/{model._meta.model_name}/"
        assert boss.get(base).status_code == 200
        boss.post(f"{base}add/", form)
        added = model.objects.get()
        assert boss.get(f"{base}{added.pk}/change/").status_code == 200
        name = "name" if "name" in form else ("title" if "title" in form else "question")
        boss.post(f"{base}{added.pk}/change/", {**form, name: "Other"})
        added.refresh_from_db()
        assert getattr(added, name) == "Other"
        if hasattr(added, "version"):
            assert added.version == 2
        boss.post(f"{base}{added.pk}/delete/", {"post": "yes"})
        assert not model.objects.exists()

    def test_a_refusal_is_a_message(self, boss):
        answer = boss.post(
            "/admin/support/replytemplate/add/",
            {"code": "c", "language": "en", "title": "T", "body": "{{user.password}}"},
            follow=True,
        )
        assert "user.password" in answer.content.decode()
        assert not ReplyTemplate.objects.exists()

    def test_policies_show_their_versions(self, boss):
        policy = make_policy()
        url = f"/admin/support/slapolicy/{policy.pk}/change/"
        html = boss.get(url).content.decode()
        assert "first_response_minutes" in html
        boss.post(
            url,
            {
                "name": "New",
                "position": 0,
                "calendar": policy.calendar_id,
                "resolution_minutes": 5,
                "versions-TOTAL_FORMS": 0,
                "versions-INITIAL_FORMS": 0,
            },
        )
        assert SlaPolicy.objects.get().versions.count() == 2

    def test_macros(self, boss):
        boss.post("/admin/support/macro/add/", {"name": "M", "status": "closed", "add_tags": "[]"})
        assert Macro.objects.get().status == "closed"


class TestMail:
    def test_a_password_goes_in_and_never_out(self, boss):
        url = "/admin/support/mailbox/add/"
        boss.post(
            url,
            {
                "address": "a@b.test",
                "port": 993,
                "folder": "INBOX",
                "host": "93.184.216.34",
                "username": "u",
                "password": "s3cret-words",
            },
        )
        box = Mailbox.objects.get()
        assert "s3cret" not in box.sealed_password
        html = boss.get(f"/admin/support/mailbox/{box.pk}/change/").content.decode()
        assert "s3cret" not in html

    def test_unreadable_mail_is_shown_and_kept(self, browser):
        message, _new = store_mail(mailbox=make_mailbox(), raw=b"\x00nonsense")
        from support.services import process_mail

        process_mail(message.pk)
        html = browser.get("/admin/support/inboundmessage/?status__exact=failed").content.decode()
        assert "Could not be read" in html
        raw = browser.get(f"/admin/support/inboundmessage/{message.pk}/raw/")
        assert raw.content == b"\x00nonsense"
        assert browser.get(f"/admin/support/inboundmessage/{message.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    "name", ["tag", "slabreach", "ticketrating", "agentstate", "outboundmessage", "inboundmessage"]
)
def test_every_list_opens(boss, name):
    assert boss.get(f"/admin/support/{name}/").status_code == 200


class TestDeletion:
    def test_a_mailbox_in_use_is_said_to_be_and_stays(self, boss):
        used, free = make_mailbox("used@atalaya.test"), make_mailbox("free@atalaya.test")
        store_mail(mailbox=used, raw=b"From: a@example.test\r\n\r\nHello")
        url = "/admin/support/mailbox/"
        body = {"action": "delete_selected", "_selected_action": [used.pk, free.pk], "post": "yes"}
        html = boss.post(url, body, follow=True).content.decode()
        assert "Mail came to this mailbox" in html
        assert list(Mailbox.objects.all()) == [used]
        html = boss.post(f"{url}{used.pk}/delete/", {"post": "yes"}, follow=True).content.decode()
        assert "Mail came to this mailbox" in html
        deleted = AuditEntry.objects.filter(action="support.mailbox.deleted")
        assert [entry.target_id for entry in deleted] == [str(free.pk)]

    def test_the_password_of_a_mailbox_is_kept_unless_a_new_one_is_given(self, boss):
        box = make_mailbox("kept@atalaya.test")
        url = f"/admin/support/mailbox/{box.pk}/change/"
        data = {"address": box.address, "port": 993, "folder": "INBOX", "is_active": "on"}
        boss.post(url, {**data, "password": "hunter2-hunter2"})
        box.refresh_from_db()
        sealed = box.sealed_password
        assert sealed
        boss.post(url, {**data, "name": "Desk"})
        box.refresh_from_db()
        assert (box.name, box.sealed_password) == ("Desk", sealed)
        written = str(list(AuditEntry.objects.values()))
        assert "hunter2" not in written
        assert "password" in written

    def test_agents_of_a_category_are_on_record(self, boss, agent):
        category = make_category()
        data = {"code": "orders", "name": "Orders", "position": 0, "agents": [agent.pk]}
        boss.post(f"/admin/support/category/{category.pk}/change/", {**data, "is_active": "on"})
        assert list(category.agents.all()) == [agent]
        entry = AuditEntry.objects.get(action="support.category.saved")
        assert entry.after["agents"] == [agent.pk]
