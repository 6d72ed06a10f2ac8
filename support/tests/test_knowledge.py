"""What staff keep: templates, macros, questions, categories; and whose turn it is."""

import pytest

from support.models import Category, Faq, Macro, ReplyTemplate, Ticket
from support.services import apply_macro, reply_as_staff, save_macro, update_ticket
from support.tests.factories import make_agent, make_category, make_faq, make_template, make_ticket
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry, SystemConfig

pytestmark = pytest.mark.django_db
TEMPLATES, MACROS, FAQS = "/api/admin/reply-templates", "/api/admin/macros", "/api/admin/faqs"
CATEGORIES = "/api/admin/ticket-categories"


class TestTemplates:
    BODY = {"code": "hi", "language": "es", "title": "Hola", "body": "Hola {{user.first_name}}"}

    def test_kept_with_a_version(self, desk, agent):
        made = desk.post(TEMPLATES, self.BODY)
        assert made.status_code == 201
        url = f"{TEMPLATES}/{made.json()['id']}"
        assert made["ETag"] == '"1"'
        changed = desk.put(url, {**self.BODY, "title": "Buenas"}, headers={"If-Match": '"1"'})
        assert (changed.json()["title"], changed.json()["version"]) == ("Buenas", 2)
        problem(desk.patch(url, {"title": "x"}, headers={"If-Match": '"1"'}), 412)
        assert [t["title"] for t in desk.get(TEMPLATES).json()["results"]] == ["Buenas"]
        assert desk.get(TEMPLATES, {"language": "en"}).json()["count"] == 0
        assert desk.delete(url).status_code == 204
        assert AuditEntry.objects.filter(action="support.template.deleted", actor=agent).exists()

    def test_a_variable_that_is_none_is_refused(self, desk):
        answer = desk.post(TEMPLATES, {**self.BODY, "body": "{{user.password}} {% load x %}"})
        errors = problem(answer, 400, field="body")["errors"]
        assert errors[0]["code"] == "unknown_variable"
        assert "user.password" in errors[0]["detail"]

    def test_once_per_language(self, desk):
        desk.post(TEMPLATES, self.BODY)
        assert desk.post(TEMPLATES, self.BODY).status_code == 400
        assert desk.post(TEMPLATES, {**self.BODY, "language": "en"}).status_code == 201

    def test_in_use_by_a_macro(self, desk, agent):
        template = make_template()
        save_macro(actor=agent, values={"name": "M", "template": template})
        problem(desk.delete(f"{TEMPLATES}/{template.pk}"), 409, "in_use")

    def test_replies_survive_their_template(self, desk, agent, member):
        ticket, template = make_ticket(member), make_template()
        reply = reply_as_staff(actor=agent, ticket=ticket, template=template)
        desk.delete(f"{TEMPLATES}/{template.pk}")
        reply.refresh_from_db()
        assert reply.template is None
        assert reply.body

    def test_names_of_members_are_words(self, agent, member):
        member.first_name = "[x](http://evil.test)"
        member.save()
        reply = reply_as_staff(actor=agent, ticket=make_ticket(member), template=make_template())
        from support.markdown import render_markdown

        assert "<a" not in render_markdown(reply.body)


class TestMacros:
    def test_answer_and_changes_in_one_step(self, desk, agent, member):
        ticket = make_ticket(member, tags=["old"])
        template = make_template()
        made = desk.post(MACROS, {
            "name": "Solve", "template": template.pk, "status": "resolved", "priority": "low",
            "assign": "me", "add_tags": ["solved"],
        })  # fmt: skip
        assert made.status_code == 201
        done = desk.post(f"/api/admin/tickets/{ticket.pk}/macro", {"macro": made.json()["id"]})
        data = done.json()
        assert (data["status"], data["priority"]) == ("resolved", "low")
        assert data["assignee"]["username"] == "ada"
        assert data["tags"] == ["old", "solved"]
        assert ticket.number in data["replies"][-1]["body"]

    def test_all_or_nothing(self, agent, member):
        ticket = make_ticket(member)
        update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
        macro = save_macro(
            actor=agent,
            values={"name": "M", "priority": "urgent", "template": make_template()},
        )
        from support.errors import TicketAlreadyClosed

        with pytest.raises(TicketAlreadyClosed):
            apply_macro(actor=agent, ticket=ticket, macro=macro)
        ticket.refresh_from_db()
        assert (ticket.priority, ticket.replies.count()) == ("medium", 1)

    @pytest.mark.parametrize("extra", [{}, {"assign": "agent"}, {"assign": "odd"}])
    def test_refuses_what_does_nothing(self, desk, extra):
        problem(desk.post(MACROS, {"name": "M", **extra}), 400)

    def test_deleted(self, desk, agent):
        macro = save_macro(actor=agent, values={"name": "M", "status": "closed"})
        assert desk.delete(f"{MACROS}/{macro.pk}").status_code == 204
        assert not Macro.objects.exists()


class TestFaqs:
    def test_kept(self, desk, api):
        body = {"question": "¿Cómo?", "answer": "Así.", "language": "es", "position": 2}
        made = desk.post(FAQS, body)
        pk = made.json()["id"]
        assert api.get("/api/faqs").json()["count"] == 0
        desk.patch(f"{FAQS}/{pk}", {"is_published": True})
        assert api.get("/api/faqs", {"search": "como"}).json()["count"] == 1
        problem(desk.patch(f"{FAQS}/{pk}", {"answer": "x"}, headers={"If-Match": '"1"'}), 412)
        assert desk.get(FAQS, {"is_published": "false"}).json()["count"] == 0
        assert desk.delete(f"{FAQS}/{pk}").status_code == 204
        assert not Faq.objects.exists()

    def test_in_order(self, desk, api):
        for position, question in ((3, "c"), (1, "a"), (2, "b")):
            make_faq(question=question, position=position)
        questions = [f["question"] for f in api.get("/api/faqs").json()["results"]]
        assert questions == ["a", "b", "c"]


class TestCategories:
    def test_kept_by_operators(self, staff, as_user, desk, mine):
        keeper = as_user(staff("operator"))
        made = keeper.post(CATEGORIES, {"code": "pay", "name": "Payments", "name_es": "Pagos"})
        assert made.status_code == 201
        url = f"{CATEGORIES}/{made.json()['id']}"
        assert keeper.patch(url, {"position": 4}).json()["position"] == 4
        assert mine.get("/api/ticket-categories").json()["results"][0]["code"] == "pay"
        problem(desk.delete(url), 403)
        assert keeper.delete(url).status_code == 204

    def test_in_use(self, staff, as_user, member):
        category = make_category()
        make_ticket(member, category=category)
        problem(as_user(staff("operator")).delete(f"{CATEGORIES}/{category.pk}"), 409, "in_use")
        assert Category.objects.exists()


def configure(**values):
    from systemadmin.foundation.configuration import forget_stored_values

    for key, value in values.items():
        SystemConfig.objects.update_or_create(key=f"support.{key}", defaults={"value": value})
    forget_stored_values()


class TestAssignment:
    def test_by_hand_nobody_gets_it(self, agent, member):
        assert make_ticket(member).assignee is None

    def test_in_turn(self, agent, member):
        make_agent(username="bob")
        category = make_category(assignment="round_robin")
        names = [make_ticket(member, category=category).assignee.username for _ in range(4)]
        assert names == ["ada", "bob", "ada", "bob"]

    def test_to_the_least_busy(self, agent, member):
        bob = make_agent(username="bob")
        make_ticket(member, assignee=agent)
        category = make_category(assignment="load")
        assert make_ticket(member, category=category).assignee == bob

    def test_only_named_available_and_not_full(self, agent, member):
        from support.models import AgentState

        bob, cleo, dan = (make_agent(username=name) for name in ("bob", "cleo", "dan"))
        category = make_category(assignment="round_robin")
        category.agents.set([bob, cleo, dan])
        AgentState.objects.create(user=bob, is_available=False)
        AgentState.objects.create(user=cleo, capacity=1)
        names = [make_ticket(member, category=category).assignee.username for _ in range(3)]
        assert names == ["cleo", "dan", "dan"]

    def test_nobody_free_leaves_it_free(self, agent, member):
        from support.models import AgentState

        AgentState.objects.create(user=agent, is_available=False)
        category = make_category(assignment="load")
        assert make_ticket(member, category=category).assignee is None

    def test_who_answers_takes_it_and_nobody_steals(self, agent, member):
        ticket = make_ticket(member)
        reply_as_staff(actor=agent, ticket=ticket, body="Mine.")
        reply_as_staff(actor=make_agent(), ticket=ticket, body="Also me.")
        ticket.refresh_from_db()
        assert ticket.assignee == agent


class TestSearch:
    """The same words find the same tickets on every database."""

    @pytest.fixture
    def tickets(self, member, other_member):
        return {
            "parcel": make_ticket(member, subject="Paquete perdido", body="Número de envío 12345."),
            "refund": make_ticket(other_member, subject="Refund", body="Señor Núñez, my café!"),
        }

    @pytest.mark.parametrize(
        ("query", "found"),
        [("paquete", "parcel"), ("PAQ per", "parcel"), ("numero ENVIO", "parcel"),
         ("1234", "parcel"), ("2345", ""), ("refund cafe", "refund"), ("nuñez", "refund"),
         ("marta", "parcel"), ("oscar@example", "refund"), ("paquete refund", ""), ("'", ""),
         ("a' | 'b:*", ""), ("%", ""), ("señ nún", "refund"), ("\\", "")],
    )  # fmt: skip
    def test_finds(self, tickets, query, found):
        pks = set(Ticket.objects.found_by(query).values_list("pk", flat=True))
        assert pks == ({tickets[found].pk} if found else set())

    def test_what_is_added_is_found(self, tickets, agent):
        ticket = tickets["parcel"]
        reply_as_staff(actor=agent, ticket=ticket, body="It went to Zaragoza.")
        update_ticket(actor=agent, ticket=ticket, changes={"subject": "Paquete hallado"})
        assert list(Ticket.objects.found_by("zarag hallado")) == [ticket]


def test_every_setting_is_read_where_it_matters(agent, member):
    configure(assign_on_reply=False, status_after_reply="in_progress", acknowledge=False)
    ticket = make_ticket(member)
    assert not ticket.outbound.exists()
    reply_as_staff(actor=agent, ticket=ticket, body="x")
    ticket.refresh_from_db()
    assert (ticket.assignee, ticket.status) == (None, "in_progress")
    assert ReplyTemplate.objects.count() == 0
