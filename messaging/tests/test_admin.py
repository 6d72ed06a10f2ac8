"""The staff side: a queue of reports, broadcasts, counters; texts only with a reason."""

import pytest
from django.urls import reverse

from messaging import services
from messaging.models import Broadcast, Message, MessageReport
from messaging.tests.factories import send
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.models import AuditEntry, Backup
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
REPORTS = "admin:messaging_messagereport"


@pytest.fixture
def with_roles(db):
    """Roles as every migrate sets them up."""
    from django.core.management import call_command

    call_command("setup", verbosity=0)


@pytest.fixture
def report(member, letter):
    return services.report_message(actor=member, message=letter, reason="fraud", note="raro")


@pytest.fixture
def agent(with_roles, staff, admin_client_for):
    return admin_client_for(staff("support_agent"))


@pytest.fixture
def operator(with_roles, staff, admin_client_for):
    return admin_client_for(staff("operator"))


def act(client, model, action, pk, **data):
    url = reverse(f"admin:messaging_{model}_changelist")
    body = {"action": action, "_selected_action": pk if isinstance(pk, list) else [pk], **data}
    return client.post(url, body, follow=True)


def test_a_report_shows_exactly_its_excerpt(agent, report, member, other_member):
    send(other_member, member, "esto no se denunció")
    page = agent.get(reverse(f"{REPORTS}_change", args=[report.pk])).content.decode()
    assert "lámpara" in page
    assert "esto no se denunció" not in page


def test_more_takes_a_reason_that_is_kept(agent, report, member, other_member):
    send(other_member, member, "lo que vino después")
    url = reverse(f"{REPORTS}_conversation", args=[report.pk])
    assert "después" not in agent.get(url).content.decode()
    assert "después" not in agent.post(url, {"reason": "corto"}).content.decode()
    assert not AuditEntry.objects.filter(action="messaging.conversation.disclosed").exists()
    shown = agent.post(url, {"reason": "Two members disagree about a payment"})
    assert "después" in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    entry = AuditEntry.objects.get(action="messaging.conversation.disclosed")
    assert entry.reason.startswith("Two members")
    assert entry.metadata["from_seq"] == 1


@pytest.mark.parametrize("role", ["risk_analyst", "operator", "auditor"])
def test_other_roles_do_not_read_conversations(with_roles, staff, admin_client_for, report, role):
    client = admin_client_for(staff(role))
    url = reverse(f"{REPORTS}_conversation", args=[report.pk])
    assert client.post(url, {"reason": "because I would like to"}).status_code == 403


def test_upholding_erases_and_warns(agent, report, letter, other_member):
    page = act(agent, "messagereport", "uphold", report.pk)
    assert "#" in page.content.decode()
    done = act(
        agent,
        "messagereport",
        "uphold",
        report.pk,
        apply="1",
        resolution="Fraude claro",
        erase="on",
        warn="on",
    )
    assert done.status_code == 200
    report.refresh_from_db()
    letter.refresh_from_db()
    assert report.status == "upheld"
    assert report.handled_by is not None
    assert letter.body == ""
    warning = Message.objects.get(kind="system")
    assert warning.conversation.participants.filter(user=other_member).exists()


def test_a_handled_report_is_refused_politely(agent, report):
    for _ in range(2):
        page = act(agent, "messagereport", "dismiss", report.pk, apply="1", resolution="Nada malo")
    assert "already been handled" in page.content.decode()
    assert AuditEntry.objects.filter(action="messaging.report.dismissed").count() == 1


def test_who_may_only_look_gets_no_actions(with_roles, staff, admin_client_for, report):
    client = admin_client_for(staff("risk_analyst"))
    act(client, "messagereport", "dismiss", report.pk, apply="1", resolution="x")
    report.refresh_from_db()
    assert report.status == "open"


def test_conversations_show_numbers_and_no_words(superuser, admin_client_for, letter):
    client = admin_client_for(superuser)
    for page in (
        reverse("admin:messaging_conversation_changelist"),
        reverse("admin:messaging_conversation_change", args=[letter.conversation_id]),
        reverse("admin:messaging_mailbox_changelist"),
    ):
        assert "lámpara" not in client.get(page).content.decode()


def test_an_operator_writes_previews_and_sends_a_broadcast(operator, member):
    form = {"kind": "urgent", "title": "Corte", "body": "Esta noche", "countries": "es, fr"}
    response = operator.post(
        reverse("admin:messaging_broadcast_add"), {**form, "is_verified": "unknown"}, follow=True
    )
    assert response.status_code == 200
    broadcast = Broadcast.objects.get()
    assert broadcast.countries == ["ES", "FR"]
    url = reverse("admin:messaging_broadcast_change", args=[broadcast.pk])
    changed = {**form, "title": "Corte breve", "is_verified": "unknown"}
    operator.post(url, changed, follow=True)
    page = act(operator, "broadcast", "preview", broadcast.pk).content.decode()
    assert "2 recipients" in page
    act(operator, "broadcast", "send_now", broadcast.pk)
    broadcast.refresh_from_db()
    assert broadcast.status == "draft", "only a confirmation page so far"
    act(operator, "broadcast", "send_now", broadcast.pk, apply="1", is_sure="on")
    drain()
    broadcast.refresh_from_db()
    assert (broadcast.status, broadcast.title) == ("sent", "Corte breve")
    assert "2 of 2 delivered, 0 read" in operator.get(url).content.decode()


def test_a_broadcast_is_scheduled_and_cancelled(operator, superuser):
    broadcast = services.create_broadcast(actor=superuser, title="x", body="y")
    act(operator, "broadcast", "schedule", broadcast.pk, apply="1", at_0="2099-01-01", at_1="10:00")
    broadcast.refresh_from_db()
    assert broadcast.status == "scheduled"
    act(operator, "broadcast", "cancel", broadcast.pk, apply="1", reason="changed our mind")
    broadcast.refresh_from_db()
    assert broadcast.status == "cancelled"


def test_erasing_is_queued_for_all_selected_and_makes_no_backup(
    operator, agent, letter, member, other_member, settings
):
    settings.BACKUP_BEFORE_CRITICAL = True
    drain()
    chosen = [member.pk, other_member.pk]
    act(agent, "mailbox", "erase", chosen, apply="1", reason="The member asked for it")
    assert drain() == 0, "a support agent may not"
    act(operator, "mailbox", "erase", chosen, apply="1", reason="The member asked for it")
    letter.refresh_from_db()
    assert letter.erased_at is None, "many messages take their time: not within the request"
    drain()
    letter.refresh_from_db()
    assert letter.erased_at
    erased = AuditEntry.objects.filter(action="messaging.member.erased")
    assert erased.count() == 2
    assert not Backup.objects.exists(), "it would hold what is erased"
    entry = erased.first()
    assert entry.actor.is_staff
    assert entry.reason == "The member asked for it"


def test_the_lists_cost_the_same_however_long(superuser, admin_client_for, report):
    client = admin_client_for(superuser)

    def grow():
        for _ in range(5):
            one, two = UserFactory(), UserFactory()
            message = send(one, two)
            services.report_message(actor=two, message=message, reason="spam")

    for model in ("messagereport", "conversation", "mailbox", "block", "broadcast"):
        url = reverse(f"admin:messaging_{model}_changelist")
        assert_constant_queries(lambda url=url: client.get(url), grow)
    assert MessageReport.objects.count() == 26
