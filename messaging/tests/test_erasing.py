"""What was erased or taken back is neither unread nor mailed, on every way and in every race."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from messaging import services
from messaging.integrity import check_unread_counts
from messaging.models import Attachment, Mailbox, Message, MessageRevision, Participant, StreamEvent
from messaging.tests.factories import send, true_unread
from systemadmin.foundation.testing import run_threads
from systemadmin.models import AuditEntry, Notification
from systemadmin.services import change_settings
from systemadmin.services.notifications import OUTBOX

pytestmark = pytest.mark.django_db


def make_due(user):
    Mailbox.objects.filter(pk=user.pk).update(notice_due_at=timezone.now() - timedelta(seconds=1))


def deliver():
    return [OUTBOX.deliver(pk) for pk in Notification.objects.values_list("pk", flat=True)]


# -- erased by the team --------------------------------------------------------------


def test_an_erased_message_is_not_unread(marta, member, other_member):
    sent = [send(other_member, member, f"n{n}") for n in range(5)]
    services.erase_message(actor=None, message=sent[1], reason="law")
    services.erase_message(actor=None, message=sent[1], reason="law")
    assert marta.get("/api/messages/unread-count").data == {"unread_count": 4}
    listed = marta.get("/api/messages/conversations").data["results"]
    assert listed[0]["unread_count"] == true_unread(member) == 4
    assert check_unread_counts() == []


def test_erasing_the_only_unread_message_calls_the_notice_off(member, letter):
    services.erase_message(actor=None, message=letter, reason="law")
    assert Mailbox.objects.get(pk=member.pk).notice_due_at is None
    make_due(member)
    assert services.send_due_notices() == 0
    assert not Notification.objects.exists()


def test_a_notice_says_how_many_are_unread_when_it_is_sent(member, other_member):
    sent = [send(other_member, member, f"n{n}") for n in range(4)]
    make_due(member)
    assert services.send_due_notices() == 1
    for message in sent[:2]:
        services.erase_message(actor=None, message=message, reason="law")
    deliver()
    assert [one.subject for one in mail.outbox] == ["You have 2 unread messages"]
    assert Notification.objects.get().subject == "You have 2 unread messages"


@pytest.mark.parametrize("how", ["erase", "unsend", "read"])
def test_a_notice_of_nothing_is_not_sent(member, other_member, letter, how):
    make_due(member)
    services.send_due_notices()
    if how == "erase":
        services.erase_message(actor=None, message=letter, reason="law")
    elif how == "unsend":
        services.unsend_message(actor=other_member, message=letter)
    else:
        services.read_up_to(actor=member, message=letter)
    deliver()
    assert mail.outbox == []
    assert Notification.objects.get().status == Notification.Status.SKIPPED


def test_hiding_what_was_erased_changes_no_counter(member, other_member):
    sent = [send(other_member, member, f"n{n}") for n in range(2)]
    services.erase_message(actor=None, message=sent[0], reason="law")
    services.hide_message(actor=member, message=sent[0])
    assert services.unread_total(member.pk) == true_unread(member) == 1


# -- taken back by its author ----------------------------------------------------------


def test_a_message_is_taken_back_for_both_sides(marta, oscar, member, other_member):
    file = SimpleUploadedFile("n.txt", b"hola")
    sent = send(other_member, member, "me equivoqué", attachment=file)
    services.edit_message(actor=other_member, message=sent, body="me equivoqué mucho")
    answer = oscar.post(f"/api/messages/{sent.pk}/unsend")
    assert answer.status_code == 200, answer.data
    assert (answer.data["is_erased"], answer.data["body"]) == (True, "")
    assert answer.data["attachment"] is None
    theirs = marta.get(f"/api/messages/{other_member.pk}").data["results"]
    assert [(row["is_erased"], row["body"]) for row in theirs] == [(True, "")]
    assert not MessageRevision.objects.exists()
    assert not Attachment.objects.exists()
    assert marta.get("/api/messages/unread-count").data == {"unread_count": 0}
    for user in (member, other_member):
        newest = StreamEvent.objects.filter(user=user).order_by("-position").first()
        assert (newest.kind, newest.message_id) == ("edited", sent.pk)
    assert AuditEntry.objects.filter(action="messaging.message.unsent").count() == 1
    events = StreamEvent.objects.count()
    assert oscar.post(f"/api/messages/{sent.pk}/unsend").status_code == 200, "again is the same"
    assert StreamEvent.objects.count() == events


def test_only_the_author_takes_a_message_back_and_only_in_time(marta, oscar, letter):
    answer = marta.post(f"/api/messages/{letter.pk}/unsend")
    assert (answer.status_code, answer.data["code"]) == (403, "not_your_message")
    Message.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    answer = oscar.post(f"/api/messages/{letter.pk}/unsend")
    assert (answer.status_code, answer.data["code"]) == (409, "unsend_window_over")
    change_settings(actor=None, values={"messaging.unsend_minutes": 60})
    assert oscar.post(f"/api/messages/{letter.pk}/unsend").status_code == 200


def test_a_strangers_message_cannot_be_taken_back_or_marked(as_user, superuser, letter):
    for act in ("unsend", "unread"):
        assert as_user(superuser).post(f"/api/messages/{letter.pk}/{act}").status_code == 404


def test_a_report_keeps_what_was_taken_back(member, other_member, letter):
    report = services.report_message(actor=member, message=letter, reason="fraud")
    services.unsend_message(actor=other_member, message=letter)
    report.refresh_from_db()
    assert "lámpara" in str(report.excerpt)


def test_taking_back_does_not_renew_the_limit_of_one_text_to_many(member, other_member):
    text = "Gana mucho dinero hoy con esta oferta tan especial"
    sent = send(other_member, member, text)
    services.unsend_message(actor=other_member, message=sent)
    sent.refresh_from_db()
    assert sent.fingerprint is not None


# -- marked as unread --------------------------------------------------------------------


def test_a_conversation_is_marked_as_unread(marta, member, other_member):
    sent = [send(other_member, member, f"n{n}") for n in range(3)]
    services.read_up_to(actor=member, message=sent[-1])
    told = StreamEvent.objects.filter(user=other_member).count()
    answer = marta.post(f"/api/messages/{sent[1].pk}/unread")
    assert answer.status_code == 200, answer.data
    assert answer.data == {"last_read_seq": 1, "conversation_unread": 2, "unread_count": 2}
    assert services.unread_total(member.pk) == true_unread(member) == 2
    assert StreamEvent.objects.filter(user=other_member).count() == told, (
        "the other side is not told"
    )
    assert StreamEvent.objects.filter(user=member).order_by("position").last().seq == 1
    assert Mailbox.objects.get(pk=member.pk).notice_due_at is None, "no mail for one's own mark"
    assert marta.post(f"/api/messages/{sent[2].pk}/unread").data == answer.data, "never forward"
    assert marta.post(f"/api/messages/{sent[2].pk}/read").data["unread_count"] == 0


def test_only_a_received_message_with_words_is_marked_as_unread(marta, member, other_member):
    mine = send(member, other_member, "mío")
    theirs = send(other_member, member, "suyo")
    services.erase_message(actor=None, message=theirs, reason="law")
    for message in (mine, theirs):
        answer = marta.post(f"/api/messages/{message.pk}/unread")
        assert (answer.status_code, answer.data["code"]) == (409, "cannot_mark_unread")


# -- races ---------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
class TestRaces:
    def test_erasing_while_reading_leaves_exact_counters(self, member, other_member):
        sent = [send(other_member, member, f"n{n}") for n in range(24)]

        def act(n):
            for message in sent[n::4]:
                if n % 2:
                    services.erase_message(actor=None, message=message, reason="law")
                else:
                    services.read_up_to(actor=member, message=message)
                    services.mark_unread(actor=member, message=sent[4])

        results = run_threads(act, 4)
        problems = [r for r in results if isinstance(r, Exception)]
        assert not problems, problems
        assert services.unread_total(member.pk) == true_unread(member)
        assert check_unread_counts() == []

    def test_taking_back_while_the_notice_goes_out_mails_a_true_number(self, member, other_member):
        sent = [send(other_member, member, f"n{n}") for n in range(6)]
        make_due(member)

        def act(n):
            if n:
                for message in sent[n - 1 :: 2]:
                    services.unsend_message(actor=other_member, message=message)
            else:
                services.send_due_notices()
                deliver()

        results = run_threads(act, 3)
        problems = [r for r in results if isinstance(r, Exception)]
        assert not problems, problems
        assert services.unread_total(member.pk) == true_unread(member) == 0
        assert check_unread_counts() == []
        assert Mailbox.objects.get(pk=member.pk).notice_due_at is None
        mail.outbox.clear()
        for notice in Notification.objects.filter(status=Notification.Status.PENDING):
            OUTBOX.deliver(notice.pk)
        assert mail.outbox == [], "nothing is unread any more"

    def test_two_erasures_of_one_message_count_once(self, member, other_member):
        message = send(other_member, member)
        send(other_member, member)
        results = run_threads(
            lambda n: (
                services.unsend_message(actor=other_member, message=message)
                if n % 2
                else services.erase_message(actor=None, message=message, reason="law")
            ),
            6,
        )
        assert not [r for r in results if isinstance(r, Exception)], results
        assert services.unread_total(member.pk) == true_unread(member) == 1
        assert Participant.objects.get(user=member).unread_count == 1
