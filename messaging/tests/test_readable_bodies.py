"""Through the API: a message shows something, and names do not reorder a notice."""

import pytest

from messaging import services
from messaging.models import Message
from messaging.tests.factories import send
from messaging.tests.test_notices_and_retention import make_due
from systemadmin.models import Notification
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

INVISIBLE = (
    [chr(n) for n in (0x200B, 0x2060, 0xFEFF, 0x3164, 0x2800, 0xAD, 0x202E, 0x200E, 0x01)]
    + [chr(n) for n in (0xE0041, 0x34F, 0xFE0F, 0x301, 0x115F, 0xFFA0, 0xE000, 0x378)]
    + ["\u3164 \u200b\n\u2800", "\u0301\u200d\u0301", "\U000e0041\U000e007f", "\u2067\u2069"]
)
EMOJI = ["👍🏽", "👨‍👩‍👧", "🇪🇸", "1️⃣", "❤️"]


@pytest.mark.parametrize("body", INVISIBLE, ids=ascii)
def test_a_body_that_shows_nothing_is_refused_when_sent_and_when_edited(
    marta, member, other_member, body
):
    answer = marta.post("/api/messages", {"recipient": other_member.pk, "body": body})
    assert answer.status_code == 400, answer.data
    assert [(row["field"], row["code"]) for row in answer.data["errors"]] == [("body", "blank")]
    sent = send(member, other_member, "Hola")
    answer = marta.post(f"/api/messages/{sent.pk}/edit", {"body": body})
    assert answer.status_code == 400, answer.data
    assert answer.data["errors"][0]["field"] == "body"
    sent.refresh_from_db()
    assert sent.body == "Hola"


@pytest.mark.parametrize("body", EMOJI)
def test_emoji_are_sent_as_they_are_written(marta, other_member, body):
    answer = marta.post("/api/messages", {"recipient": other_member.pk, "body": body})
    assert answer.status_code == 201, answer.data
    assert Message.objects.get(pk=answer.data["id"]).body == body


def test_marks_are_not_stacked_without_end(marta, other_member):
    answer = marta.post(
        "/api/messages", {"recipient": other_member.pk, "body": "e" + "\u0301" * 40}
    )
    assert answer.status_code == 400
    assert answer.data["errors"][0]["field"] == "body"


def test_tickets_need_a_subject_and_a_text_that_show_something(marta):
    for field in ("subject", "body"):
        data = {"subject": "Pedido", "body": "No llega", field: "\u3164"}
        answer = marta.post("/api/tickets", data)
        assert answer.status_code == 400, answer.data
        assert answer.data["errors"][0]["field"] == field


def test_a_subject_is_kept_without_controls_of_direction(marta):
    answer = marta.post(
        "/api/tickets", {"subject": "Hola \u202emoc.knab\u2069", "body": "No llega"}
    )
    assert answer.status_code == 201, answer.data
    assert answer.data["subject"] == "Hola moc.knab"


@pytest.mark.parametrize("name", ["Support \u202e moc.knab", "\u2067Team", "a\u2069b"])
def test_an_old_name_does_not_reorder_a_notice(member, name):
    sender = UserFactory(first_name=name, last_name="\u202eTeam")
    send(sender, member)
    make_due(member)
    services.send_due_notices()
    notice = Notification.objects.get()
    written = notice.subject + notice.body
    assert "Team" in written
    assert not set(written) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_a_name_from_right_to_left_stays_within_its_place(member):
    send(UserFactory(first_name="שלום", last_name=""), member)
    make_due(member)
    services.send_due_notices()
    assert "\u2068שלום\u2069" in Notification.objects.get().body
