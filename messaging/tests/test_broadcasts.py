"""Broadcasts: whom they reach, once each, and what staff see of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging import services
from messaging.errors import (
    BroadcastNotCancellable,
    BroadcastNotEditable,
    BroadcastNotSendable,
    TeamDoesNotRead,
)
from messaging.models import Broadcast, Message, Preferences, StreamEvent
from messaging.services.mailboxes import recount
from messaging.tests.factories import at_risk, old_member, send, true_unread
from systemadmin.foundation.errors import InvalidInput, StaleVersion
from systemadmin.foundation.queue import drain
from systemadmin.models import AuditEntry, Notification, User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(staff):
    return staff("operator")


@pytest.fixture
def draft(operator):
    def make(**fields):
        defaults = {"title": "Novedades", "body": "Hemos mejorado la búsqueda.", "kind": "update"}
        return services.create_broadcast(actor=operator, **{**defaults, **fields})

    return make


def names(broadcast):
    return set(
        User.objects.filter(
            pk__in=StreamEvent.objects.filter(message__broadcast=broadcast).values("user_id")
        ).values_list("username", flat=True)
    )


def deliver(operator, broadcast):
    services.send_broadcast(actor=operator, broadcast=broadcast)
    drain()
    broadcast.refresh_from_db()
    return broadcast


def test_everyone_gets_it_once_and_it_counts_as_unread(operator, draft, member, other_member):
    done = deliver(operator, draft())
    assert done.status == "sent"
    assert done.delivered_count == done.recipient_count == 3
    assert names(done) == {"marta", "oscar", operator.username}
    assert Message.objects.filter(broadcast=done).count() == 3
    assert true_unread(member) == recount(member.pk) == services.unread_total(member.pk) == 1


def test_it_reads_as_a_message_of_the_team(operator, draft, marta):
    deliver(operator, draft())
    (row,) = marta.get("/api/messages/conversations").json()["results"]
    assert row["user"]["username"] == "atalaya-team"
    assert row["last_message"]["kind"] == "broadcast"
    assert row["last_message"]["body"].startswith("Novedades\n\n")
    team = User.objects.get(username="atalaya-team")
    with pytest.raises(TeamDoesNotRead):
        send(marta.user, team)
    assert not team.has_usable_password()


def test_running_the_delivery_again_delivers_nothing(operator, draft, member):
    done = deliver(operator, draft())
    assert services.deliver_chunk(done.pk) is None
    assert services.deliver_broadcast(done.pk) == 0
    assert Message.objects.filter(broadcast=done).count() == 2


def test_two_broadcasts_keep_the_thread_in_order(operator, draft, member):
    deliver(operator, draft(title="Uno"))
    deliver(operator, draft(title="Dos"))
    seqs = Message.objects.filter(conversation__participants__user=member).values_list(
        "seq", "body"
    )
    assert [(s, b.split("\n")[0]) for s, b in seqs.order_by("seq")] == [(1, "Uno"), (2, "Dos")]


def test_filters_name_the_audience(operator, draft, staff):
    staff("support_agent", username="agent")
    spain = old_member(username="spain", country="ES")
    old_member(username="france", country="FR")
    UserFactory(username="unverified", country="ES")
    UserFactory(username="gone", is_active=False)
    UserFactory(username="bad", suspended_at=timezone.now())
    at_risk(spain, "high")

    def audience(**fields):
        preview = services.preview_broadcast(draft(**fields))
        assert preview.recipients >= len(preview.sample)
        return set(preview.sample)

    assert audience(roles=["support_agent"]) == {"agent"}
    assert audience(countries=["FR"]) == {"france"}
    assert audience(is_verified=True) == {"spain", "france"}
    assert audience(is_verified=False, roles=[], countries=["ES"]) >= {"unverified"}
    assert audience(risk_levels=["high"]) == {"spain"}
    assert audience(risk_levels=["critical"]) == set()
    assert audience(countries=["FR"], is_verified=False) == set()
    assert not {"gone", "bad", "atalaya-team"} & audience()


def test_promotions_leave_out_those_who_declined(draft, member, other_member):
    Preferences.objects.create(user=member, promotions=False)
    Preferences.objects.create(user=other_member)
    sample = services.preview_broadcast(draft(kind="promotion")).sample
    assert "marta" not in sample
    assert "oscar" in sample
    assert "marta" in services.preview_broadcast(draft(kind="information")).sample


def test_urgent_ones_go_to_telegram_where_linked_and_allowed(operator, draft, member, other_member):
    User.objects.filter(pk__in=[member.pk, other_member.pk]).update(telegram_chat_id="5")
    Preferences.objects.create(user=other_member, urgent_by_telegram=False)
    deliver(operator, draft(kind="warning"))
    assert not Notification.objects.exists()
    urgent = draft(kind="urgent")
    assert services.preview_broadcast(urgent).by_telegram == 2
    deliver(operator, urgent)
    notice = Notification.objects.get()
    assert notice.user == member
    assert notice.channel == "telegram"


def test_who_joins_later_is_not_surprised_by_old_news(operator, draft, member):
    broadcast = services.send_broadcast(actor=operator, broadcast=draft())
    UserFactory(username="late")
    drain()
    assert "late" not in names(broadcast)


def test_a_schedule_sends_when_it_is_due(operator, draft, member):
    broadcast = draft()
    with pytest.raises(InvalidInput):
        services.schedule_broadcast(actor=operator, broadcast=broadcast, at=timezone.now())
    soon = timezone.now() + timedelta(hours=1)
    services.schedule_broadcast(actor=operator, broadcast=broadcast, at=soon)
    assert services.start_due_broadcasts() == 0
    Broadcast.objects.update(scheduled_at=timezone.now() - timedelta(seconds=1))
    assert services.start_due_broadcasts() == 1
    drain()
    broadcast.refresh_from_db()
    assert broadcast.status == "sent"


def test_cancelling_stops_what_is_left(operator, draft, settings, monkeypatch):
    for _ in range(15):
        UserFactory()
    monkeypatch.setattr("messaging.services.delivery.setting", lambda key: 10)
    broadcast = services.send_broadcast(actor=operator, broadcast=draft())
    assert services.deliver_chunk(broadcast.pk) == 10
    services.cancel_broadcast(actor=operator, broadcast=broadcast, reason="typo")
    assert services.deliver_chunk(broadcast.pk) is None
    assert Message.objects.filter(broadcast=broadcast).count() == 10
    with pytest.raises(BroadcastNotCancellable):
        services.cancel_broadcast(actor=operator, broadcast=broadcast)
    with pytest.raises(BroadcastNotSendable):
        services.send_broadcast(actor=operator, broadcast=broadcast)


def test_what_a_dead_worker_left_is_taken_up_again(operator, draft, member):
    broadcast = services.send_broadcast(actor=operator, broadcast=draft())
    from django_q.models import OrmQ

    OrmQ.objects.all().delete()
    assert services.start_due_broadcasts() == 0
    Broadcast.objects.update(progress_at=timezone.now() - timedelta(minutes=5))
    assert services.start_due_broadcasts() == 1
    drain()
    broadcast.refresh_from_db()
    assert broadcast.status == "sent"


def test_only_drafts_are_edited_and_nobody_overwrites_anybody(operator, draft):
    broadcast = draft()
    services.edit_broadcast(actor=operator, broadcast=broadcast, title="Otra", expected_version=1)
    with pytest.raises(StaleVersion):
        services.edit_broadcast(actor=operator, broadcast=broadcast, title="X", expected_version=1)
    deliver(operator, broadcast)
    with pytest.raises(BroadcastNotEditable):
        services.edit_broadcast(actor=operator, broadcast=broadcast, title="Tarde")


def test_read_statistics_count_readers(operator, draft, member, other_member):
    broadcast = deliver(operator, draft())
    message = Message.objects.select_related("conversation").get(
        broadcast=broadcast, conversation__participants__user=member
    )
    services.read_up_to(actor=member, message=message)
    assert services.read_statistics(broadcast) == {"recipients": 3, "delivered": 3, "read": 1}


def test_every_step_is_audited(operator, draft):
    deliver(operator, draft())
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"messaging.broadcast.created", "messaging.broadcast.started"} <= actions
