"""Members search their own messages, and keep conversations from notifying them."""

import pytest
from django.utils import timezone

from messaging import services
from messaging.models import Mailbox, Message, Participant
from messaging.services import search
from messaging.services.notices import send_due_notices
from messaging.tests.factories import old_member, send
from systemadmin.models import Notification
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
URL = "/api/messages/search"


@pytest.fixture
def ana(db):
    return old_member(username="ana")


@pytest.fixture
def beto(db):
    return old_member(username="beto")


class TestSearch:
    def test_words_begin_words_whatever_case_and_accents(self, ana, beto, as_user):
        send(ana, beto, "¿Te llegó la LÁMPARA azul?")
        send(beto, ana, "Todavía no")
        for client, is_mine, other in ((as_user(ana), True, beto), (as_user(beto), False, ana)):
            (row,) = client.get(URL, {"q": "lampa az"}).json()["results"]
            assert (row["is_mine"], row["user"]) == (is_mine, other.pk)
        assert as_user(ana).get(URL, {"q": "mpara"}).json()["results"] == []

    def test_nobody_finds_what_others_wrote(self, ana, beto, as_user):
        send(ana, beto, "secreto")
        answer = as_user(UserFactory()).get(URL, {"q": "secreto"}).json()
        assert answer == {"results": [], "before": None}

    def test_hidden_and_erased_are_not_found(self, ana, beto, as_user):
        first, second = send(ana, beto, "pera uno"), send(ana, beto, "pera dos")
        services.hide_message(actor=beto, message=first)
        services.unsend_message(actor=ana, message=second)
        assert as_user(beto).get(URL, {"q": "pera"}).json()["results"] == []
        found = as_user(ana).get(URL, {"q": "pera"}).json()["results"]
        assert [row["id"] for row in found] == [first.pk]

    def test_goes_on_where_it_stopped(self, ana, beto, as_user, monkeypatch):
        sent = [send(ana, beto, f"kiwi {'no' * (i % 2)} {i}").pk for i in range(6)]
        monkeypatch.setattr(search, "PER_PAGE", 2)
        seen, before = [], None
        while True:
            query = {"q": "kiwi"} | ({"before": before} if before else {})
            answer = as_user(ana).get(URL, query).json()
            seen += [row["id"] for row in answer["results"]]
            before = answer["before"]
            if before is None:
                break
        assert seen == sent[::-1]

    def test_reads_a_bounded_number(self, ana, beto, monkeypatch):
        for i in range(5):
            send(ana, beto, f"uva {i}")
        monkeypatch.setattr(search, "_CHUNK", 2)
        monkeypatch.setattr(search, "MOST_READ", 2)
        found = services.search_own(user_id=ana.pk, text="melon")
        assert (found.messages, found.before is None) == ([], False)

    def test_queries_do_not_grow_with_what_is_found(self, ana, beto, django_assert_max_num_queries):
        for i in range(8):
            send(ana, beto, f"uva {i}")
        with django_assert_max_num_queries(1):
            found = services.search_own(user_id=ana.pk, text="uva")
            assert {m.conversation.lower_id for m in found.messages}
        assert Message.objects.count() == 8

    @pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "x", "before": "-1"}, {"q": "x" * 201}])
    def test_bad_input_is_refused(self, ana, as_user, query):
        assert as_user(ana).get(URL, query).status_code == 400


class TestMute:
    def due(self, user):
        Mailbox.objects.filter(user=user).update(notice_due_at=timezone.now())
        send_due_notices()
        return Notification.objects.filter(user=user, kind="messaging.unread")

    def test_no_notice_of_it_and_still_counted(self, ana, beto, as_user):
        send(ana, beto, "uno")
        client = as_user(beto)
        url = f"/api/messages/conversations/{ana.pk}/mute"
        assert client.post(url).json() == {"is_muted": True}
        assert not self.due(beto).exists()
        row = client.get("/api/messages/conversations").json()["results"][0]
        assert (row["unread_count"], row["is_muted"]) == (1, True)
        assert client.delete(url).json() == {"is_muted": False}
        assert self.due(beto).exists()

    def test_others_still_notify_and_only_theirs_is_counted(self, ana, beto):
        carla = old_member(username="carla")
        send(ana, beto, "uno")
        send(carla, beto, "dos")
        services.set_muted(actor=beto, peer_id=ana.pk, muted=True)
        notice = self.due(beto).first()
        assert "1 unread message" in notice.subject
        assert "carla" in notice.body
        assert "ana" not in notice.body

    def test_the_other_side_does_not_learn_of_it(self, ana, beto):
        send(ana, beto, "uno")
        services.set_muted(actor=beto, peer_id=ana.pk, muted=True)
        assert not Participant.objects.get(user=ana).is_muted

    def test_without_a_conversation_it_is_not_found(self, ana, beto, as_user):
        url = f"/api/messages/conversations/{ana.pk}/mute"
        assert as_user(beto).post(url).status_code == 404
