"""A row that raises stops nobody: every outbox, sweep and schedule, at every place in a batch."""

from importlib import import_module
from unittest.mock import patch

import pytest
from django.utils import timezone
from django.utils.module_loading import import_string

from config.tests.bad_rows import CASES, PARTS
from systemadmin import telegram, webhook_transport
from systemadmin.foundation import scheduler
from systemadmin.foundation.batches import Batch, registered
from systemadmin.foundation.outbox import OUTBOXES
from systemadmin.foundation.plugins import collect, modules
from systemadmin.models import Alert, BatchFailure
from systemadmin.services.batch_failures import MOST_ATTEMPTS, retry_batch_failure
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db
# Those whose rows lie with others, tested with real servers there.
ELSEWHERE = {
    "support.fetch_mail": "support/tests/test_fetching.py",
    "systemadmin.schedules": "below",
}


@pytest.fixture(autouse=True)
def outside(monkeypatch, settings):
    """Whatever goes out arrives, unless a test says otherwise."""
    answer = webhook_transport.Answer(200, "", "", 1)
    monkeypatch.setattr(webhook_transport, "send", lambda *args, **options: answer)
    monkeypatch.setattr(telegram, "send_message", lambda chat, text: 1)
    monkeypatch.setattr("messaging.services.retention.backup_since", lambda *args: None)
    settings.TELEGRAM_BOT_TOKEN = "t"
    settings.TELEGRAM_CHAT_ID = "1"
    settings.ALERT_URLS = []


def poisoned(target, raises_for):
    """The function raises when it is called for the one key."""
    owner, _dot, name = target.rpartition(".")
    real = import_string(target) if "." in owner else getattr(import_module(owner), name)

    def call(*args, **options):
        if raises_for(*args, **options):
            raise RuntimeError("a bad row")
        return real(*args, **options)

    return patch(target, call)


def run(task):
    (import_string(task) if isinstance(task, str) else task)()


def test_every_schedule_works_row_by_row_or_says_why_not():
    for _module in modules("tasks"):
        pass
    known = {*registered(), *OUTBOXES}
    for schedule in collect("schedules", "SCHEDULES"):
        assert bool(schedule.batches) != bool(schedule.whole), schedule.name
        assert set(schedule.batches) <= known, schedule.name


def test_every_batch_and_every_outbox_has_its_case_here():
    for _module in modules("tasks"):
        pass
    shipped = {name for name in registered() if name.split(".")[0] not in ("test", "tests")} | set(
        OUTBOXES
    )
    assert shipped == {*CASES, *PARTS, *ELSEWHERE}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_a_row_that_raises_is_on_a_list_and_the_others_go_through(name, place):
    case = CASES[name]
    keys = case.make()
    bad = keys[place]

    def is_bad(*args, **options):
        found = case.key_of(*args, **options)
        return bad in found if isinstance(found, list) else found == bad

    with poisoned(case.poison, is_bad):
        run(case.task)
    assert set(keys) & case.done() == set(keys) - {bad}
    if case.listed is not None:
        assert set(keys) & case.listed() == {bad}
        return
    failure = BatchFailure.objects.get(batch=name)
    assert (failure.key, failure.error) == (str(bad), "RuntimeError: a bad row")
    BatchFailure.objects.update(next_attempt_at=timezone.now())
    run(case.again)
    assert set(keys) <= case.done()
    assert not BatchFailure.objects.exists()


@pytest.mark.parametrize(
    ("name", "part"), [(name, part) for name, (parts, _task) in PARTS.items() for part in parts]
)
def test_a_part_that_raises_stops_no_other_part(name, part):
    parts, task = PARTS[name]
    ran = []

    def standing_in(label):
        def call(*_args, **_options):
            if label == part:
                raise RuntimeError("a bad part")
            ran.append(label)
            return []

        return call

    patches = [patch(target, standing_in(label)) for label, target in parts.items()]
    for one in patches:
        one.start()
    try:
        run(task)
    finally:
        for one in patches:
            one.stop()
    assert set(ran) == set(parts) - {part}
    assert BatchFailure.objects.get().key == part


def test_a_schedule_that_raises_stops_no_other(monkeypatch):
    scheduler.Row.objects.update(next_run=timezone.now())
    queued = []

    def push(path, *args, cluster):
        if path == "systemadmin.tasks.seal_audit":
            raise RuntimeError("a bad schedule")
        queued.append(path)
        return "1"

    monkeypatch.setattr(scheduler, "push", push)
    scheduler.enqueue_due()
    declared = {item.task for item in scheduler.declared_schedules()}
    assert declared - set(queued) == {"systemadmin.tasks.seal_audit"}
    assert BatchFailure.objects.get().key == "systemadmin.seal_audit"


class TestGivingUp:
    @pytest.fixture
    def batch(self, monkeypatch):
        monkeypatch.setattr("systemadmin.foundation.batches._registered", {})
        return Batch("test.batch")

    def fail(self, batch, times=1):
        def act(_key):
            raise ValueError("no \x00 good")

        for _ in range(times):
            BatchFailure.objects.update(next_attempt_at=timezone.now())
            assert batch.each(["7"], act) == []

    def test_it_waits_longer_each_time_and_ends_after_the_stated_number(self, batch):
        for attempt in range(1, MOST_ATTEMPTS):
            self.fail(batch)
            failure = BatchFailure.objects.get()
            wait = (failure.next_attempt_at - timezone.now()).total_seconds()
            assert failure.attempts == attempt
            assert 60 * 2 ** (attempt - 1) - 5 < wait <= 60 * 2 ** (attempt - 1)
            assert batch.each(["7"], str) == [], "not before its time"
        assert not Alert.objects.exists()
        self.fail(batch)
        failure.refresh_from_db()
        assert failure.given_up_at is not None
        assert Alert.objects.get().rule == "batch.given_up"
        assert batch.each(["7"], str) == [], "never again by itself"

    def test_it_is_tried_again_by_hand(self, batch):
        self.fail(batch, MOST_ATTEMPTS)
        retry_batch_failure(actor=StaffFactory(), failure=BatchFailure.objects.get())
        assert Alert.objects.get().status == "resolved"
        assert batch.each(["7"], str) == ["7"]
        assert not BatchFailure.objects.exists()

    def test_what_the_queue_cut_off_is_noted_and_the_task_ends(self, batch):
        def hang(_key):
            raise SystemExit

        with pytest.raises(SystemExit):
            batch.each(["1", "2"], hang)
        assert BatchFailure.objects.get().key == "1"
        assert batch.each(["1", "2"], str) == ["2"]

    def test_those_that_failed_before_come_last(self, batch):
        self.fail(batch)
        BatchFailure.objects.update(next_attempt_at=timezone.now())
        assert batch.each(["7", "8", "9"], str) == ["8", "9", "7"]

    def test_many_go_together_and_only_the_bad_ones_are_left(self, batch):
        calls, done = [], []

        def act(items):
            calls.append(len(items))
            if {3, 77} & set(items):
                raise ValueError
            done.extend(items)

        assert batch.together(list(range(100)), act) == 98
        assert set(range(100)) - set(done) == {3, 77}
        assert len(done) == len(set(done))
        assert len(calls) < 40, "halved, not one by one"
        assert set(BatchFailure.objects.values_list("key", flat=True)) == {"3", "77"}
