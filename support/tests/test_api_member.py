"""The member's side: their own tickets, and never an internal note."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from support.models import Attachment, TicketRating
from support.services import merge_tickets, reply_as_staff, update_ticket
from support.tests.factories import make_category, make_faq, make_ticket
from support.tests.matrix import MATRIX
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.tests.matrix import MEMBERS

pytestmark = pytest.mark.django_db
SECRET = "zebra-note-that-no-member-may-read"


def test_opens_a_ticket(mine, member):
    category = make_category()
    answer = mine.post(
        "/api/tickets", {"subject": "Help", "body": "Please.", "category": category.pk}
    )
    assert answer.status_code == 201
    data = answer.json()
    assert data["number"].startswith("T-")
    assert data["status"] == "new"
    assert [r["body"] for r in data["replies"]] == ["Please."]
    assert data["replies"][0]["from_staff"] is False
    assert mine.get("/api/tickets").json()["count"] == 1


@pytest.mark.parametrize("body", [{}, {"subject": "x"}, {"subject": "x", "body": ""},
                                  {"subject": "x", "body": "y", "user": 1},
                                  {"subject": "x", "body": "y", "priority": "odd"}])  # fmt: skip
def test_refuses_what_is_wrong(mine, body):
    problem(mine.post("/api/tickets", body), 400)


def test_someone_elses_ticket_does_not_exist(mine, other_member):
    theirs = make_ticket(other_member)
    assert mine.get("/api/tickets").json()["count"] == 0
    problem(mine.get(f"/api/tickets/{theirs.pk}"), 404)
    problem(mine.post(f"/api/tickets/{theirs.pk}/reply", {"body": "x"}), 404)
    problem(mine.post(f"/api/tickets/{theirs.pk}/rating", {"score": 5}), 404)


def test_an_answer_reopens(mine, member, agent):
    ticket = make_ticket(member)
    reply_as_staff(actor=agent, ticket=ticket, body="Done.", status="resolved")
    assert mine.post(f"/api/tickets/{ticket.pk}/reply", {"body": "No."}).status_code == 201
    ticket.refresh_from_db()
    assert ticket.status == "in_progress"
    assert ticket.resolved_at is None


def test_a_long_closed_ticket_stays_closed(mine, member, agent):
    from datetime import timedelta

    from django.utils import timezone

    ticket = make_ticket(member)
    update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
    assert mine.post(f"/api/tickets/{ticket.pk}/reply", {"body": "Wait."}).status_code == 201
    update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
    type(ticket).objects.update(closed_at=timezone.now() - timedelta(days=15))
    refused = mine.post(f"/api/tickets/{ticket.pk}/reply", {"body": "Hello?"})
    problem(refused, 409, "ticket_already_closed")


def test_a_suspended_member_may_ask_for_help(mine, member, superuser):
    from systemadmin.services import suspend_user

    client_token_survives = mine
    member.suspended_at = member.date_joined
    member.save()
    assert suspend_user is not None
    answer = client_token_survives.post("/api/tickets", {"subject": "Why?", "body": "Why?"})
    assert answer.status_code == 201


def test_rates_once_after_resolution(mine, member, agent):
    ticket = make_ticket(member)
    url = f"/api/tickets/{ticket.pk}/rating"
    problem(mine.post(url, {"score": 5}), 409, "not_resolved_yet")
    update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
    for wrong in (0, 6, "x", None):
        problem(mine.post(url, {"score": wrong}), 400, field="score")
    assert mine.post(url, {"score": 4, "comment": "Quick."}).status_code == 201
    problem(mine.post(url, {"score": 1}), 409, "already_rated")
    assert TicketRating.objects.get().score == 4
    assert mine.get(f"/api/tickets/{ticket.pk}").json()["rating"]["score"] == 4


def test_a_merged_ticket_says_where_it_went(mine, member, agent):
    source, target = make_ticket(member), make_ticket(member)
    merge_tickets(actor=agent, source=source, into=target)
    assert [t["id"] for t in mine.get("/api/tickets").json()["results"]] == [target.pk]
    gone = mine.get(f"/api/tickets/{source.pk}").json()
    assert (gone["merged_into"], gone["replies"]) == (target.pk, [])
    refused = mine.post(f"/api/tickets/{source.pk}/reply", {"body": "x"})
    assert problem(refused, 409, "ticket_merged")["merged_into"] == target.pk


def test_an_older_page_does_not_answer_over_staff(mine, member, agent):
    ticket = make_ticket(member)
    seen = ticket.last_reply_id
    reply_as_staff(actor=agent, ticket=ticket, body=SECRET, internal=True)
    url, body = f"/api/tickets/{ticket.pk}/reply", {"body": "x", "expected_last_reply": seen}
    assert mine.post(url, body).status_code == 201
    reply_as_staff(actor=agent, ticket=ticket, body="Public.")
    problem(mine.post(url, body), 409, "replied_meanwhile")


class TestNotes:
    @pytest.fixture
    def haunted(self, member, agent):
        """A ticket where staff have talked among themselves, with a file."""
        ticket = make_ticket(member)
        file = SimpleUploadedFile("notes.txt", SECRET.encode())
        reply_as_staff(actor=agent, ticket=ticket, body=SECRET, internal=True, attachments=[file])
        reply_as_staff(actor=agent, ticket=ticket, body="Public answer.")
        update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
        return ticket

    def test_no_route_of_a_member_shows_one(self, mine, haunted):
        """Every member route of the matrix is called; nothing of the note comes back."""
        attachment = Attachment.objects.get()
        faq = make_faq()
        bodies = {
            "reply": {"body": "Hello"},
            "rating": {"score": 5},
            "vote": {"helpful": True},
            "tickets": {"subject": "s", "body": "b"},
        }
        called = 0
        for route, who in MATRIX.items():
            if not set(who) >= MEMBERS:
                continue
            method, path = route.split(" ", 1)
            pk = faq.pk if "/faqs" in path else haunted.pk
            path = path.replace("{pk}", str(pk)).replace("{attachment_id}", str(attachment.pk))
            body = bodies.get(path.rsplit("/", 1)[-1], {})
            answer = getattr(mine, method.lower())(path, body)
            content = b"".join(answer) if answer.streaming else answer.content
            text = content.decode()
            assert "zebra" not in text, route
            assert '"internal"' not in text, route
            assert answer.status_code < 500
            called += 1
        assert called >= 9
        assert (
            mine.get(f"/api/tickets/{haunted.pk}").json()["replies"][1]["body"] == "Public answer."
        )

    def test_the_file_of_a_note_does_not_exist(self, mine, haunted):
        pk = Attachment.objects.get().pk
        problem(mine.get(f"/api/tickets/{haunted.pk}/attachments/{pk}"), 404)

    def test_a_note_leaves_no_trace(self, mine, haunted, agent):
        url = f"/api/tickets/{haunted.pk}"
        before = mine.get(url).json()
        reply_as_staff(actor=agent, ticket=haunted, body=SECRET, internal=True)
        assert mine.get(url).json() == before

    def test_no_search_finds_one(self, mine, haunted):
        problem(mine.get("/api/tickets", {"search": "zebra"}), 400)
        assert mine.get("/api/faqs", {"search": "zebra"}).json()["results"] == []

    def test_the_schema_gives_members_no_such_field(self, superuser, as_user):
        schema = as_user(superuser).get("/api/schema").json()
        components = schema["components"]["schemas"]

        def fields(node, seen):
            found = set()
            if isinstance(node, dict):
                found |= set(node.get("properties", {}))
                reference = node.get("$ref", "")
                if reference.startswith("#/components/schemas/") and reference not in seen:
                    seen.add(reference)
                    found |= fields(components[reference.rsplit("/", 1)[1]], seen)
                for value in node.values():
                    found |= fields(value, seen)
            elif isinstance(node, list):
                for value in node:
                    found |= fields(value, seen)
            return found

        for path, operations in schema["paths"].items():
            if not path.startswith("/api/tickets"):
                continue
            for operation in operations.values():
                names = fields(operation, set())
                assert not names & {"internal", "is_internal", "kind", "reply_count", "version"}
        # The search sees what it looks for where staff have it.
        assert "internal" in fields(schema["paths"]["/api/admin/tickets/{id}/reply"], set())


def test_queries_do_not_grow(mine, member):
    make_ticket(member)
    assert_constant_queries(
        lambda: mine.get("/api/tickets"), lambda: [make_ticket(member) for _ in range(9)]
    )


class TestFaqs:
    def test_anyone_reads_what_is_published(self, api):
        category = make_category()
        faq = make_faq(category=category)
        make_faq(question="Hidden", is_published=False)
        spanish = make_faq(question="¿Cómo pago?", answer="Con tarjeta.", language="es")
        rows = api.get("/api/faqs").json()
        assert rows["count"] == 2
        assert "<strong>card</strong>" in rows["results"][0]["answer_html"]

        def found(**params):
            return [row["id"] for row in api.get("/api/faqs", params).json()["results"]]

        assert found(language="es") == [spanish.pk]
        assert found(category=category.pk) == found(category="orders") == [faq.pk]
        assert found(search="como tarj") == [spanish.pk]
        assert found(search="hidden") == []
        assert api.get(f"/api/faqs/{faq.pk}").json()["question"] == "How do I pay?"

    def test_what_is_hidden_does_not_exist(self, api, mine):
        hidden = make_faq(is_published=False)
        problem(api.get(f"/api/faqs/{hidden.pk}"), 404)
        problem(mine.post(f"/api/faqs/{hidden.pk}/vote", {"helpful": True}), 404)

    def test_one_vote_each(self, mine, as_user, other_member):
        faq = make_faq()
        url = f"/api/faqs/{faq.pk}/vote"
        for _ in range(2):
            data = mine.post(url, {"helpful": True}).json()
        assert (data["helpful_count"], data["unhelpful_count"]) == (1, 0)
        data = mine.post(url, {"helpful": False}).json()
        assert (data["helpful_count"], data["unhelpful_count"]) == (0, 1)
        data = as_user(other_member).post(url, {"helpful": True}).json()
        assert (data["helpful_count"], data["unhelpful_count"]) == (1, 1)
        problem(mine.post(url, {}), 400, field="helpful")
