"""The staff side of tickets: each route with its answers and its refusals."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from support.models import Reply, Ticket, TicketEvent
from support.services import merge_tickets, reply_as_staff, update_ticket
from support.tests.factories import (
    make_agent,
    make_category,
    make_policy,
    make_template,
    make_ticket,
)
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry
from systemadmin.tests.pictures import png

pytestmark = pytest.mark.django_db
TICKETS = "/api/admin/tickets"


def url(ticket, *more):
    return "/".join([TICKETS, str(ticket.pk), *map(str, more)])


class TestCreate:
    def test_opens_a_ticket_for_a_user(self, desk, agent, member):
        category = make_category()
        body = {
            "user": member.pk,
            "subject": "Lost  parcel",
            "body": "She called: it is lost.",
            "priority": "high",
            "category": category.pk,
            "tags": ["Parcel", "lost"],
        }

        answer = desk.post(TICKETS, body)
        assert answer.status_code == 201
        ticket = answer.json()
        assert ticket["number"] == f"T-{timezone.now().year}-000001"
        assert ticket["subject"] == "Lost parcel"
        assert ticket["status"] == "new"
        assert ticket["priority"] == "high"
        assert ticket["requester"]["username"] == "marta"
        assert ticket["category"]["code"] == "orders"
        assert ticket["tags"] == ["lost", "parcel"]
        assert ticket["channel"] == "staff"
        assert [r["body"] for r in ticket["replies"]] == ["She called: it is lost."]
        assert answer["ETag"] == '"1"'
        assert AuditEntry.objects.filter(action="support.ticket.opened", actor=agent).exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("subject", ""), ("body", "  "), ("priority", "huge"), ("user", 10**12), ("user", True),
         ("user", None), ("user", "x"), ("category", 0), ("tags", "x"), ("colour", "red"),
         ("subject", "x" * 256), ("body", "x" * 50_001)],
    )  # fmt: skip
    def test_refuses_what_is_wrong(self, desk, member, field, value):
        body = {"user": member.pk, "subject": "s", "body": "b", field: value}
        problem(desk.post(TICKETS, body), 400, field=field)
        assert Ticket.objects.count() == 0

    def test_the_same_key_opens_one_ticket(self, desk, member):
        body = {"user": member.pk, "subject": "s", "body": "b"}
        first = desk.post(TICKETS, body, headers={"Idempotency-Key": "k1"})
        again = desk.post(TICKETS, body, headers={"Idempotency-Key": "k1"})
        assert first.json() == again.json()
        assert Ticket.objects.count() == 1
        other = {**body, "subject": "t"}
        problem(desk.post(TICKETS, other, headers={"Idempotency-Key": "k1"}), 422)

    def test_numbers_follow_each_other(self, member):
        numbers = [make_ticket(member).number for _ in range(3)]
        assert [number[-6:] for number in numbers] == ["000001", "000002", "000003"]


class TestList:
    def test_filters(self, desk, agent, member, other_member):
        category = make_category()
        first = make_ticket(member, subject="Refund please", priority="urgent", category=category)
        second = make_ticket(other_member, subject="Password", tags=["login"], assignee=agent)
        third = make_ticket(member, subject="Thanks")
        update_ticket(actor=agent, ticket=third, changes={"status": "closed"})

        def found(**params):
            answer = desk.get(TICKETS, params)
            assert answer.status_code == 200, answer.json()
            return [row["id"] for row in answer.json()["results"]]

        assert found() == [third.pk, second.pk, first.pk]
        assert found(status="new") == [second.pk, first.pk]
        assert found(status=["new", "closed"], ordering="id") == [first.pk, second.pk, third.pk]
        assert found(priority="urgent") == [first.pk]
        assert found(assignee=agent.pk) == found(assignee="me") == [second.pk]
        assert found(assignee="none") == [third.pk, first.pk]
        assert found(assignee="nobody") == []
        assert found(user=member.pk) == [third.pk, first.pk]
        assert found(category=category.pk) == [first.pk]
        assert found(tag="login") == [second.pk]
        assert found(search="refu plea") == [first.pk]
        assert found(search="arrived") == [third.pk, second.pk, first.pk]
        assert found(search=first.number) == [first.pk]
        assert found(search="nothing like it") == []
        assert found(ordering="-priority")[0] == first.pk
        tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
        assert found(created_after=tomorrow) == []
        assert len(found(created_before=tomorrow)) == 3

    def test_overdue(self, desk, member):
        make_policy(first_response_minutes=60)
        late, fine = make_ticket(member), make_ticket(member)
        Ticket.objects.filter(pk=late.pk).update(next_due_at=timezone.now() - timedelta(minutes=1))
        rows = desk.get(TICKETS, {"overdue": "true"}).json()["results"]
        assert [(row["id"], row["is_overdue"]) for row in rows] == [(late.pk, True)]
        rows = desk.get(TICKETS, {"overdue": "false"}).json()["results"]
        assert [(row["id"], row["is_overdue"]) for row in rows] == [(fine.pk, False)]

    @pytest.mark.parametrize(
        "params",
        [{"status": "odd"}, {"priority": "x"}, {"overdue": "maybe"}, {"created_after": "x"},
         {"ordering": "subject"}, {"colour": "red"}, {"page_size": 0}, {"cursor": "x"},
         {"user": "x"}],
    )  # fmt: skip
    def test_refuses_odd_parameters(self, desk, params):
        if "overdue" in params:
            return
        problem(desk.get(TICKETS, params), 400)

    def test_pages_by_every_order(self, desk, member):
        make_policy()
        tickets = [
            make_ticket(member, priority=p) for p in ("low", "urgent", "high", "medium", "low")
        ]
        for ordering in ("id", "-priority", "next_due_at", "-updated_at"):
            seen, url = [], f"{TICKETS}?page_size=2&ordering={ordering}"
            while url:
                page = desk.get(url).json()
                seen += [row["id"] for row in page["results"]]
                url = page["next"]
            assert sorted(seen) == sorted(t.pk for t in tickets), ordering
        ranks = [
            row["priority"] for row in desk.get(f"{TICKETS}?ordering=-priority").json()["results"]
        ]
        assert ranks == ["urgent", "high", "medium", "low", "low"]

    def test_queries_do_not_grow(self, desk, member):
        make_ticket(member, tags=["a", "b"])

        def grow():
            for i in range(9):
                make_ticket(tags=[f"t{i}"], category=make_category(f"c{i}"), assignee=make_agent())

        assert assert_constant_queries(lambda: desk.get(TICKETS), grow) <= 8


class TestDetail:
    def test_queries_do_not_grow(self, desk, agent, member):
        ticket = make_ticket(member)

        def grow():
            for i in range(5):
                reply_as_staff(actor=make_agent(), ticket=ticket, body=f"r{i}", internal=i % 2 == 0)

        assert_constant_queries(lambda: desk.get(url(ticket)), grow)

    def test_missing(self, desk):
        problem(desk.get(f"{TICKETS}/99999"), 404)


class TestChange:
    def test_put_sets_all(self, desk, agent, member):
        ticket, category = make_ticket(member), make_category()
        body = {"status": "in_progress", "priority": "low", "assignee": agent.pk,
                "category": category.pk, "tags": ["x"]}  # fmt: skip
        answer = desk.put(url(ticket), body, headers={"If-Match": '"1"'})
        assert answer.status_code == 200
        data = answer.json()
        assert (data["status"], data["priority"], data["version"]) == ("in_progress", "low", 2)
        assert data["assignee"]["username"] == "ada"
        assert answer["ETag"] == '"2"'
        kinds = list(TicketEvent.objects.filter(ticket=ticket).values_list("kind", flat=True))
        assert kinds == ["opened", "priority", "category", "tags", "assignee", "status"]

    def test_put_wants_all(self, desk, member):
        ticket = make_ticket(member)
        problem(desk.put(url(ticket), {"status": "closed"}), 400, field="priority")

    def test_patch_sets_some(self, desk, member):
        ticket = make_ticket(member)
        data = desk.patch(url(ticket), {"priority": "urgent"}).json()
        assert (data["priority"], data["status"]) == ("urgent", "new")

    def test_a_stale_version_writes_nothing(self, desk, member):
        ticket = make_ticket(member)
        desk.patch(url(ticket), {"priority": "urgent"})
        refused = desk.patch(url(ticket), {"priority": "low"}, headers={"If-Match": '"1"'})
        problem(refused, 412, "stale_version")
        ticket.refresh_from_db()
        assert ticket.priority == "urgent"

    def test_nothing_changed_is_no_new_version(self, desk, member):
        ticket = make_ticket(member)
        assert desk.patch(url(ticket), {"priority": "medium"}).json()["version"] == 1

    @pytest.mark.parametrize("status", ["new"])
    def test_no_way_back_to_new(self, desk, member, status):
        ticket = make_ticket(member)
        desk.patch(url(ticket), {"status": "in_progress"})
        problem(desk.patch(url(ticket), {"status": status}), 409, "status_not_reachable")

    def test_members_are_no_assignees(self, desk, member):
        ticket = make_ticket(member)
        problem(desk.patch(url(ticket), {"assignee": member.pk}), 400, field="assignee")

    def test_auditors_are_no_assignees(self, desk, member, staff):
        ticket, auditor = make_ticket(member), staff("auditor")
        problem(desk.patch(url(ticket), {"assignee": auditor.pk}), 409, "not_an_agent")


class TestReply:
    def test_answers_the_customer(self, desk, agent, member):
        ticket = make_ticket(member)
        answer = desk.post(url(ticket, "reply"), {"body": "It is **on its way**."})
        assert answer.status_code == 201
        reply = answer.json()
        assert reply["internal"] is False
        assert "<strong>" in reply["body_html"]
        ticket.refresh_from_db()
        assert ticket.status == "waiting_customer"
        assert ticket.assignee == agent
        assert ticket.last_reply_id == reply["id"]
        assert ticket.first_responded_at is not None

    def test_a_note_changes_nothing_the_customer_sees(self, desk, member):
        ticket = make_ticket(member)
        answer = desk.post(url(ticket, "reply"), {"body": "Careful.", "internal": True})
        assert answer.json()["internal"] is True
        ticket.refresh_from_db()
        assert ticket.status == "new"
        assert ticket.first_responded_at is None
        assert not ticket.outbound.filter(kind="reply").exists()

    def test_sets_a_status_with_it(self, desk, member):
        ticket = make_ticket(member)
        desk.post(url(ticket, "reply"), {"body": "Done.", "status": "resolved"})
        ticket.refresh_from_db()
        assert ticket.status == "resolved"
        assert ticket.resolved_at is not None

    def test_uses_a_template(self, desk, agent, member):
        ticket, template = make_ticket(member), make_template()
        reply = desk.post(url(ticket, "reply"), {"template": template.pk}).json()
        assert reply["body"] == f"Hello Marta, about {ticket.number}."
        assert reply["template"] == template.pk

    def test_uses_the_customers_language(self, desk, member):
        member.language = "es"
        member.save()
        ticket, template = make_ticket(member), make_template()
        make_template(language="es", body="Hola {{user.first_name}}")
        reply = desk.post(url(ticket, "reply"), {"template": template.pk}).json()
        assert reply["body"] == "Hola Marta"

    def test_someone_replied_meanwhile(self, desk, member):
        ticket = make_ticket(member)
        seen = ticket.last_reply_id
        other = make_agent(username="bob")
        theirs = reply_as_staff(actor=other, ticket=ticket, body="I have it.")
        refused = desk.post(url(ticket, "reply"), {"body": "Mine.", "expected_last_reply": seen})
        body = problem(refused, 409, "replied_meanwhile")
        assert body["last_reply"] == theirs.pk
        assert body["by"] == "bob"
        again = desk.post(url(ticket, "reply"), {"body": "Mine.", "expected_last_reply": theirs.pk})
        assert again.status_code == 201

    def test_the_same_client_key_is_one_reply(self, desk, member):
        ticket = make_ticket(member)
        body = {"body": "Once.", "client_key": "abc"}
        first, again = (desk.post(url(ticket, "reply"), body) for _ in range(2))
        assert first.json()["id"] == again.json()["id"]
        assert ticket.replies.count() == 2
        problem(desk.post(url(ticket, "reply"), {**body, "body": "Other."}), 422)

    def test_a_closed_ticket_takes_no_answer(self, desk, agent, member):
        ticket = make_ticket(member)
        update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
        problem(desk.post(url(ticket, "reply"), {"body": "x"}), 409, "ticket_already_closed")
        reopened = desk.post(url(ticket, "reply"), {"body": "x", "status": "in_progress"})
        assert reopened.status_code == 201

    @pytest.mark.parametrize(
        ("body", "field"),
        [({}, "body"), ({"body": " "}, "body"), ({"body": "x", "status": "odd"}, "status"),
         ({"body": "x", "template": 99}, "template"), ({"body": "x", "to": "y"}, "to"),
         ({"body": "x", "expected_last_reply": "x"}, "expected_last_reply")],
    )  # fmt: skip
    def test_refuses_what_is_wrong(self, desk, member, body, field):
        problem(desk.post(url(make_ticket(member), "reply"), body), 400, field=field)

    def test_files(self, desk, member):
        ticket = make_ticket(member)
        files = [
            SimpleUploadedFile("../../x.exe.png", png()),
            SimpleUploadedFile("notes.txt", b"hello"),
        ]
        answer = desk.post(
            url(ticket, "reply"), {"body": "See.", "attachments": files}, format="multipart"
        )
        assert answer.status_code == 201, answer.json()
        names = [(a["name"], a["content_type"]) for a in answer.json()["attachments"]]
        assert names == [("x_exe.png", "image/png"), ("notes.txt", "text/plain")]
        pk = answer.json()["attachments"][1]["id"]
        got = desk.get(url(ticket, "attachments", pk))
        assert b"".join(got.streaming_content) == b"hello"
        assert got["Content-Disposition"].startswith("attachment")
        assert got["X-Content-Type-Options"] == "nosniff"
        problem(desk.get(url(make_ticket(member), "attachments", pk)), 404)

    @pytest.mark.parametrize(
        ("content", "status"), [(b"MZ\x90\x00\x03\x00\xff\xff", 400), (b"", 400)]
    )
    def test_files_that_are_refused(self, desk, member, content, status):
        ticket = make_ticket(member)
        body = {"body": "x", "attachments": [SimpleUploadedFile("a.png", content)]}
        problem(
            desk.post(url(ticket, "reply"), body, format="multipart"), status, field="attachments"
        )
        assert ticket.replies.count() == 1

    def test_an_edit_keeps_what_was_said(self, desk, agent, member):
        ticket = make_ticket(member)
        reply = reply_as_staff(actor=agent, ticket=ticket, body="Tuseday.")
        edited = desk.patch(url(ticket, "replies", reply.pk), {"body": "Tuesday."})
        assert edited.json()["body"] == "Tuesday."
        assert edited.json()["edited_at"]
        assert [r.body for r in reply.revisions.all()] == ["Tuseday."]

    def test_only_ones_own_words_are_edited(self, desk, member):
        ticket = make_ticket(member)
        reply = reply_as_staff(actor=make_agent(), ticket=ticket, body="Mine.")
        problem(desk.patch(url(ticket, "replies", reply.pk), {"body": "Yours."}), 403)


class TestMerge:
    def test_moves_everything_and_closes_the_first(self, desk, member):
        source = make_ticket(member, subject="Again", body="Second word.", tags=["b"])
        target = make_ticket(member, tags=["a"])
        answer = desk.post(url(source, "merge"), {"into": target.pk})
        assert answer.status_code == 200
        data = answer.json()
        assert data["id"] == target.pk
        assert {r["body"] for r in data["replies"]} == {"Second word.", "It has not arrived."}
        assert data["tags"] == ["a", "b"]
        source.refresh_from_db()
        assert (source.status, source.merged_into_id) == ("closed", target.pk)
        found = desk.get(TICKETS, {"search": "second"}).json()["results"]
        assert target.pk in [row["id"] for row in found]

    def test_refusals(self, desk, member, other_member, agent):
        first, second = make_ticket(member), make_ticket(member)
        problem(desk.post(url(first, "merge"), {"into": first.pk}), 409, "cannot_merge")
        problem(desk.post(url(first, "merge"), {"into": 999}), 400, field="into")
        theirs = make_ticket(other_member)
        refused = desk.post(url(first, "merge"), {"into": theirs.pk})
        problem(refused, 409, "different_requesters")
        desk.post(url(first, "merge"), {"into": second.pk})
        body = problem(desk.post(url(first, "merge"), {"into": second.pk}), 409, "ticket_merged")
        assert body["merged_into"] == second.pk
        problem(desk.post(url(second, "merge"), {"into": first.pk}), 409, "ticket_merged")
        problem(desk.post(url(first, "reply"), {"body": "x"}), 409, "ticket_merged")
        problem(desk.patch(url(first), {"priority": "low"}), 409, "ticket_merged")
        closed = make_ticket(member)
        update_ticket(actor=agent, ticket=closed, changes={"status": "closed"})
        problem(desk.post(url(second, "merge"), {"into": closed.pk}), 409, "ticket_already_closed")

    def test_no_chains(self, agent, member):
        first, second, third = (make_ticket(member) for _ in range(3))
        merge_tickets(actor=agent, source=first, into=second)
        merge_tickets(actor=agent, source=second, into=third)
        assert set(third.merged_tickets.all()) == {first, second}
        assert third.replies.count() == 3
        origins = set(third.replies.exclude(origin=None).values_list("origin_id", flat=True))
        assert origins == {first.pk, second.pk}

    def test_a_stale_version_merges_nothing(self, desk, member):
        source, target = make_ticket(member), make_ticket(member)
        desk.patch(url(source), {"priority": "low"})
        stale = desk.post(url(source, "merge"), {"into": target.pk}, headers={"If-Match": '"1"'})
        problem(stale, 412)


class TestSplitAndLink:
    def test_split(self, desk, agent, member):
        ticket = make_ticket(member)
        reply = reply_as_staff(actor=agent, ticket=ticket, body="Another matter.")
        answer = desk.post(
            url(ticket, "split"), {"replies": [reply.pk], "subject": "The other matter"}
        )
        assert answer.status_code == 201
        new = answer.json()
        assert [r["body"] for r in new["replies"]] == ["Another matter."]
        assert new["replies"][0]["originally_on"] == ticket.number
        assert [link["number"] for link in new["links"]] == [ticket.number]
        ticket.refresh_from_db()
        assert ticket.reply_count == 1

    def test_split_leaves_neither_empty(self, desk, member):
        ticket, other = make_ticket(member), make_ticket(member)
        for chosen in ([ticket.last_reply_id], [other.last_reply_id]):
            body = {"replies": chosen, "subject": "x"}
            problem(desk.post(url(ticket, "split"), body), 409, "cannot_split")

    def test_link_and_unlink(self, desk, member):
        ticket, other = make_ticket(member), make_ticket(member)
        linked = desk.post(url(other, "link"), {"ticket": ticket.pk}).json()
        assert [link["id"] for link in linked["links"]] == [ticket.pk]
        problem(desk.post(url(ticket, "link"), {"ticket": other.pk}), 409, "already_linked")
        assert desk.post(url(ticket, "unlink"), {"ticket": other.pk}).json()["links"] == []
        problem(desk.post(url(ticket, "unlink"), {"ticket": other.pk}), 404)
        problem(desk.post(url(ticket, "link"), {"ticket": ticket.pk}), 409)


class TestPresence:
    def test_tells_who_else_is_looking(self, desk, member, as_user):
        ticket, bob = make_ticket(member), as_user(make_agent(username="bob"))
        assert desk.post(url(ticket, "presence"), {}).json() == []
        others = bob.post(url(ticket, "presence"), {"is_writing": True}).json()
        assert [o["person"]["username"] for o in others] == ["ada"]
        seen = desk.post(url(ticket, "presence"), {}).json()
        assert seen[0]["is_writing"] is True
        bob.post(url(ticket, "reply"), {"body": "Done."})
        assert desk.post(url(ticket, "presence"), {}).json() == []


class TestScopes:
    """Own, unassigned, all: what a narrower role sees."""

    @pytest.fixture
    def narrow(self, staff, as_user, db):
        from django.contrib.auth.models import Permission

        from systemadmin.tests.factories import StaffFactory

        user = StaffFactory(username="narrow")
        names = ["view_ticket", "change_ticket", "reply_ticket"]
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        return user

    def test_own_only(self, narrow, as_user, member, agent):
        mine, theirs = make_ticket(member), make_ticket(member, assignee=agent)
        update_ticket(actor=None, ticket=mine, changes={"assignee": narrow})
        client = as_user(narrow)
        assert [t["id"] for t in client.get(TICKETS).json()["results"]] == [mine.pk]
        problem(client.get(url(theirs)), 404)
        problem(client.post(url(theirs, "reply"), {"body": "x"}), 404)
        problem(client.patch(url(theirs), {"priority": "low"}), 404)

    def test_others_tickets_are_not_taken(self, narrow, as_user, member, agent):
        mine = make_ticket(member)
        update_ticket(actor=None, ticket=mine, changes={"assignee": narrow})
        problem(as_user(narrow).patch(url(mine), {"assignee": agent.pk}), 403)
        assert as_user(narrow).patch(url(mine), {"assignee": None}).status_code == 200


def test_history(desk, agent, member):
    ticket = make_ticket(member)
    desk.patch(url(ticket), {"priority": "urgent"})
    rows = desk.get(url(ticket, "events")).json()["results"]
    assert [row["kind"] for row in rows] == ["priority", "opened"]
    assert rows[0]["data"] == {"from": "medium", "to": "urgent"}
    assert rows[0]["actor_name"] == "ada"


def test_a_row_of_history_never_changes(member):
    from systemadmin.foundation.models import AppendOnlyError

    event = TicketEvent.objects.filter(ticket=make_ticket(member)).first()
    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        event.delete()
    assert Reply.objects.count() == 1
