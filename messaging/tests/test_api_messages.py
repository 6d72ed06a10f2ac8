"""The member's endpoints: what each answers, and what nobody else may see."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from messaging.models import Message
from messaging.tests.factories import send
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.pictures import png

pytestmark = pytest.mark.django_db
PNG = png()


def post(client, path, body=None, **kwargs):
    return client.post(f"/api/messages{path}", body or {}, **kwargs)


def test_sending_answers_201_with_the_message(marta, other_member):
    response = post(marta, "", {"recipient": other_member.pk, "body": " Hola  ", "client_id": "a1"})
    assert response.status_code == 201
    body = response.json()
    assert body["body"] == "Hola"
    assert body["seq"] == 1
    assert body["sender"] == marta.user.pk
    assert body["client_id"] == "a1"
    assert body["is_mine"] is True
    assert body["attachment"] is None


def test_the_same_client_id_and_body_is_the_first_message(marta, other_member):
    ask = {"recipient": other_member.pk, "body": "Hola", "client_id": "a1"}
    first, again = post(marta, "", ask), post(marta, "", ask)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Message.objects.count() == 1


def test_a_late_retry_after_an_edit_is_still_a_retry(marta, other_member):
    ask = {"recipient": other_member.pk, "body": "Hola", "client_id": "a1"}
    first = post(marta, "", ask).json()
    post(marta, f"/{first['id']}/edit", {"body": "Hola, Óscar"})
    again = post(marta, "", ask)
    assert again.status_code == 200
    assert again.json()["body"] == "Hola, Óscar"


@pytest.mark.parametrize("change", ["body", "recipient"])
def test_the_same_client_id_with_other_content_is_422(marta, other_member, change):
    ask = {"recipient": other_member.pk, "body": "Hola", "client_id": "a1"}
    post(marta, "", ask)
    ask[change] = "Adiós" if change == "body" else UserFactory().pk
    problem(post(marta, "", ask), 422, "client_id_reused")
    assert Message.objects.count() == 1


def test_client_ids_of_two_members_do_not_meet(marta, oscar):
    ask = {"body": "Hola", "client_id": "a1"}
    assert post(marta, "", {**ask, "recipient": oscar.user.pk}).status_code == 201
    assert post(oscar, "", {**ask, "recipient": marta.user.pk}).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"body": "   "}, "body"),
        ({"body": "x" * 4001}, "body"),
        ({"recipient": 10**17}, "recipient"),
        ({"recipient": "x"}, "recipient"),
        ({"client_id": "á b"}, "client_id"),
        ({"client_id": "x" * 65}, "client_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_input_names_its_field(marta, other_member, change, field):
    ask = {"recipient": other_member.pk, "body": "Hola", **change}
    problem(post(marta, "", ask), 400, field=field)


def test_nobody_writes_to_themselves(marta):
    problem(post(marta, "", {"recipient": marta.user.pk, "body": "Hola"}), 400, field="recipient")


def test_without_signing_in_there_is_nothing(api, letter):
    for path in ("/conversations", "/unread-count", f"/{letter.sender_id}", "/blocks"):
        problem(api.get(f"/api/messages{path}"), 401)


def test_the_conversation_list_is_newest_first_with_unread_counts(marta, other_member, member):
    third = UserFactory(username="nuria")
    send(other_member, member, "uno")
    send(third, member, "dos")
    send(other_member, member, "tres")
    rows = marta.get("/api/messages/conversations").json()["results"]
    assert [row["user"]["username"] for row in rows] == ["oscar", "nuria"]
    assert [row["unread_count"] for row in rows] == [2, 1]
    assert rows[0]["last_message"]["body"] == "tres"
    assert rows[0]["last_activity_at"] == rows[0]["last_message"]["created_at"]
    assert marta.get("/api/messages/unread-count").json() == {"unread_count": 3}


def test_messages_with_a_member_come_newest_first_in_pages_both_ways(marta, other_member, member):
    for number in range(5):
        send(other_member, member, f"n{number}")
    url = f"/api/messages/{other_member.pk}?page_size=2"
    first = marta.get(url).json()
    assert [row["body"] for row in first["results"]] == ["n4", "n3"]
    second = marta.get(first["next"]).json()
    third = marta.get(second["next"]).json()
    assert [row["body"] for row in second["results"] + third["results"]] == ["n2", "n1", "n0"]
    assert third["next"] is None
    assert marta.get(second["previous"]).json()["results"] == first["results"]


def test_with_a_member_one_never_wrote_to_the_list_is_empty(marta, other_member):
    assert marta.get(f"/api/messages/{other_member.pk}").json()["results"] == []


def test_with_someone_who_does_not_exist_it_is_empty_too(marta, other_member):
    nobody = marta.get("/api/messages/99999999")
    assert nobody.status_code == 200
    assert nobody.json() == marta.get(f"/api/messages/{other_member.pk}").json()
    problem(marta.get("/api/messages/" + "9" * 30), 404)


def test_reading_is_up_to_and_including(marta, other_member, member):
    messages = [send(other_member, member, f"n{n}") for n in range(4)]
    state = post(marta, f"/{messages[1].pk}/read").json()
    assert state == {"last_read_seq": 2, "conversation_unread": 2, "unread_count": 2}
    back = post(marta, f"/{messages[0].pk}/read").json()
    assert back == state, "a marker never moves back"
    assert post(marta, f"/{messages[3].pk}/read").json()["unread_count"] == 0


def test_someone_elses_message_is_404_for_every_action(as_user, letter):
    stranger = as_user(UserFactory())
    for action, body in [
        ("read", {}),
        ("hide", {}),
        ("edit", {"body": "x"}),
        ("report", {"reason": "spam"}),
    ]:
        problem(post(stranger, f"/{letter.pk}/{action}", body), 404)
    for action in ("revisions", "attachment"):
        problem(stranger.get(f"/api/messages/{letter.pk}/{action}"), 404)


def test_hiding_is_for_oneself(marta, oscar, letter):
    assert post(marta, f"/{letter.pk}/hide").status_code == 204
    assert post(marta, f"/{letter.pk}/hide").status_code == 204, "twice is once"
    assert marta.get(f"/api/messages/{oscar.user.pk}").json()["results"] == []
    assert marta.get("/api/messages/conversations").json()["results"] == []
    assert marta.get("/api/messages/unread-count").json() == {"unread_count": 0}
    assert len(oscar.get(f"/api/messages/{marta.user.pk}").json()["results"]) == 1


def test_hiding_the_newest_lets_the_list_show_the_one_before(marta, other_member, member):
    send(other_member, member, "uno")
    second = send(other_member, member, "dos")
    post(marta, f"/{second.pk}/hide")
    (row,) = marta.get("/api/messages/conversations").json()["results"]
    assert row["last_message"]["body"] == "uno"
    assert row["unread_count"] == 1


def test_an_edit_keeps_what_was_said(marta, oscar, letter):
    problem(post(marta, f"/{letter.pk}/edit", {"body": "x"}), 403, "not_your_message")
    edited = post(oscar, f"/{letter.pk}/edit", {"body": "Hola, Marta"}).json()
    assert edited["body"] == "Hola, Marta"
    assert edited["edited_at"]
    (earlier,) = marta.get(f"/api/messages/{letter.pk}/revisions").json()
    assert earlier["body"] == letter.body


def test_after_fifteen_minutes_there_is_no_editing(oscar, letter, time_machine_after):
    time_machine_after(letter, minutes=16)
    problem(post(oscar, f"/{letter.pk}/edit", {"body": "x"}), 409, "edit_window_over")


@pytest.fixture
def time_machine_after():
    from datetime import timedelta

    def age(message, **delta):
        created_at = message.created_at - timedelta(**delta)
        Message.objects.filter(pk=message.pk).update(created_at=created_at)

    return age


def test_a_file_travels_with_a_message(marta, oscar):
    upload = SimpleUploadedFile("../../foto.exe.png", PNG, content_type="text/html")
    sent = post(marta, "", {"recipient": oscar.user.pk, "attachment": upload}, format="multipart")
    assert sent.status_code == 201, sent.json()
    body = sent.json()
    assert body["attachment"]["content_type"] == "image/png"
    assert "/" not in body["attachment"]["name"]
    response = oscar.get(f"/api/messages/{body['id']}/attachment")
    assert b"".join(response.streaming_content) == PNG
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("content", "status", "name"),
    [
        (b"MZ\x90\x00" + b"\xff" * 9, 400, "x.png"),
        (b"", 400, "x.txt"),
        (b"a" * (1 << 20) * 11, 413, "x.txt"),
    ],
)
def test_files_that_are_not_accepted(marta, oscar, content, status, name):
    upload = SimpleUploadedFile(name, content)
    ask = {"recipient": oscar.user.pk, "body": "Hola", "attachment": upload}
    problem(post(marta, "", ask, format="multipart"), status)
    assert not Message.objects.exists()


def test_the_export_holds_what_one_sees_and_nothing_else(
    marta, oscar, letter, member, other_member
):
    hidden = send(other_member, member, "oculto")
    post(marta, f"/{hidden.pk}/hide")
    send(other_member, UserFactory(), "ajeno")
    lines = b"".join(marta.get("/api/messages/export").streaming_content).decode().splitlines()
    assert len(lines) == 1
    assert "lámpara" in lines[0]


def test_query_counts_do_not_grow(marta, member, other_member):
    send(other_member, member, "uno")
    made = []

    def grow():
        for _ in range(9):
            send(other_member, member, "otro")
            made.append(send(UserFactory(), member, "más"))

    for path in ("conversations", "unread-count", f"{other_member.pk}"):
        assert_constant_queries(lambda path=path: marta.get(f"/api/messages/{path}"), grow)
    first, last = made[0], made[-1]
    assert first.conversation_id != last.conversation_id
