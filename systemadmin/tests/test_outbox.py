"""Every outbox: one claim, one sending, tried until given up, silent after a restore."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone

from systemadmin.errors import NotificationNotFailed
from systemadmin.foundation.outbox import (
    DeliveryFailed,
    Outbox,
    OutboxModel,
    doubling,
    skip_pending,
)
from systemadmin.foundation.queue import depth
from systemadmin.foundation.testing import run_threads
from systemadmin.models import AlertNotice, AuditEntry
from systemadmin.services.alert_delivery import resend_notice

LEASE = timedelta(minutes=1)


class Receiver:
    """Stands for the outside: counts what arrives and refuses as told."""

    def __init__(self):
        self.taken, self.given_up, self.failures = [], [], []

    def take(self, row):
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(row.pk)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def outbox(receiver):
    return Outbox(
        task="systemadmin.tasks.send_alert_notice",
        rows=lambda: AlertNotice.objects.exclude(channel="closed"),
        send=receiver.take,
        wait=doubling(10, 60),
        most_attempts=3,
        lease=LEASE,
        on_given_up=lambda row: receiver.given_up.append((row.pk, row.last_error)),
    )


def a_row(**fields):
    return AlertNotice.objects.create(**{"channel": "telegram", "text": "x", **fields})


def come_due(row):
    AlertNotice.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now())


def seconds_to_wait(row):
    row.refresh_from_db()
    return (row.next_attempt_at - timezone.now()).total_seconds()


@pytest.mark.django_db
class TestDelivery:
    def test_sent_once(self, outbox, receiver):
        row = a_row()
        assert outbox.deliver(row.pk)
        assert not outbox.deliver(row.pk)
        row.refresh_from_db()
        assert (receiver.taken, row.status, row.attempts) == ([row.pk], "sent", 1)
        assert row.sent_at is not None

    def test_a_new_row_is_due_though_its_task_is_lost(self, outbox, receiver):
        row = a_row()
        assert outbox.deliver_due() == [True]
        assert receiver.taken == [row.pk]

    def test_a_closed_receiver_keeps_its_rows_untouched(self, outbox):
        row = a_row(channel="closed")
        assert not outbox.deliver(row.pk)
        assert outbox.deliver_due() == []
        row.refresh_from_db()
        assert (row.status, row.attempts) == ("pending", 0)

    def test_waits_double_up_to_the_most(self):
        wait = doubling(10, 60)
        assert [wait(attempt) for attempt in (1, 2, 3, 4, 5, 500)] == [10, 20, 40, 60, 60, 60]

    def test_a_failure_waits_its_turn(self, outbox, receiver):
        row = a_row()
        receiver.failures = [DeliveryFailed("busy")]
        assert not outbox.deliver(row.pk)
        assert 8 < seconds_to_wait(row) <= 10
        assert not outbox.deliver(row.pk), "tried before its time"
        assert row.last_error == "busy"

    def test_the_receivers_own_wait_is_obeyed(self, outbox, receiver):
        row = a_row()
        receiver.failures = [DeliveryFailed("slow down", retry_after=42)]
        outbox.deliver(row.pk)
        assert 40 < seconds_to_wait(row) <= 42

    def test_a_final_no_is_not_tried_again(self, outbox, receiver):
        row = a_row()
        receiver.failures = [DeliveryFailed("no such chat", is_permanent=True)]
        outbox.deliver(row.pk)
        row.refresh_from_db()
        assert (row.status, row.attempts, row.next_attempt_at) == ("failed", 1, None)
        assert receiver.given_up == [(row.pk, "no such chat")]

    def test_given_up_after_the_last_attempt(self, outbox, receiver):
        row = a_row()
        receiver.failures = [DeliveryFailed("busy")] * 9
        for _ in range(9):
            come_due(row)
            outbox.deliver(row.pk)
        row.refresh_from_db()
        assert (row.status, row.attempts) == ("failed", 3)
        assert len(receiver.given_up) == 1

    def test_a_secret_in_an_error_is_masked(self, outbox, receiver):
        row = a_row()
        receiver.failures = [DeliveryFailed("Authorization: Bearer abcdef0123456789abcdef")]
        outbox.deliver(row.pk)
        row.refresh_from_db()
        assert "abcdef0123456789" not in row.last_error


@pytest.mark.django_db
class TestDeadWorkers:
    def die_sending(self, outbox, receiver, row):
        receiver.failures = [SystemExit()]
        with pytest.raises(SystemExit):
            outbox.deliver(row.pk)

    def test_the_lease_keeps_others_off_and_then_ends(self, outbox, receiver):
        row = a_row()
        self.die_sending(outbox, receiver, row)
        assert outbox.deliver_due() == []
        assert 55 < seconds_to_wait(row) <= 60
        come_due(row)
        assert outbox.deliver_due() == [True]

    def test_a_row_that_kills_its_workers_is_given_up(self, outbox, receiver):
        row = a_row()
        for _ in range(3):
            self.die_sending(outbox, receiver, row)
            come_due(row)
        assert outbox.deliver_due() == [False]
        row.refresh_from_db()
        assert row.status == "failed"
        assert receiver.taken == []
        assert receiver.given_up == [(row.pk, "the worker ended while sending")]

    def test_who_comes_late_does_not_overwrite_the_next_one(self, outbox, receiver, monkeypatch):
        """A worker past its lease reports a failure of what another has sent meanwhile."""
        row = a_row()

        def stall(_row):
            come_due(row)
            assert quick.deliver(row.pk)
            raise DeliveryFailed("timed out")

        slow = Outbox(outbox.task, outbox.rows, stall, outbox.wait, 3, LEASE)
        quick = outbox
        assert not slow.deliver(row.pk)
        row.refresh_from_db()
        assert (row.status, row.last_error) == ("sent", "")


@pytest.mark.django_db
class TestAgain:
    def test_only_what_was_given_up_is_revived(self, outbox):
        row = a_row()
        assert not outbox.revive(row.pk)
        AlertNotice.objects.update(status="failed", attempts=3, next_attempt_at=None)
        before = depth()
        assert outbox.revive(row.pk)
        assert depth() == before + 1
        assert outbox.deliver(row.pk)

    def test_sending_again_is_audited(self, superuser):
        row = a_row(status="failed")
        resend_notice(actor=superuser, notice=row)
        with pytest.raises(NotificationNotFailed):
            resend_notice(actor=superuser, notice=row)
        entry = AuditEntry.objects.get(action="systemadmin.alert_notice.resent")
        assert entry.actor_id == superuser.pk


def test_the_four_outboxes_are_known():
    """What `skip_pending` silences: a fifth that is not an `OutboxModel` would speak on."""
    known = {model.__name__ for model in apps.get_models() if issubclass(model, OutboxModel)}
    assert known == {"AlertNotice", "Notification", "WebhookDelivery", "OutboundMessage"}


@pytest.mark.django_db
def test_nothing_that_waited_goes_out_after_a_restore(outbox, receiver):
    waiting, sent, failed = a_row(), a_row(status="sent"), a_row(status="failed")
    assert skip_pending("restored from a backup") == 1
    assert outbox.deliver_due() == []
    assert not outbox.deliver(waiting.pk)
    assert receiver.taken == []
    rows = dict(AlertNotice.objects.values_list("pk", "status"))
    assert rows == {waiting.pk: "skipped", sent.pk: "sent", failed.pk: "failed"}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_sends(outbox, receiver):
    rows = [a_row() for _ in range(5)]
    for row in rows:
        outcomes = run_threads(lambda _i, pk=row.pk: outbox.deliver(pk), 12)
        assert sorted(map(str, outcomes)) == ["False"] * 11 + ["True"]
    assert sorted(receiver.taken) == [row.pk for row in rows]
