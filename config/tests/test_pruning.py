"""Retention rule by rule: what is old goes, what is in use, waits or is held stays."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from marketplace.tests import factories as shop
from riskops.models import Anomaly, AnomalyHit, AnomalyRule
from riskops.tests.factories import event, record
from support.models import Attachment, InboundMessage, OutboundMessage, Ticket
from support.services import rate_ticket, store_mail
from support.tests.factories import make_mailbox, make_ticket
from systemadmin.foundation.row_files import refused_folder
from systemadmin.models import (
    Alert,
    AlertNotice,
    BatchFailure,
    LegalHold,
    Notification,
    PrunedFile,
    PruningState,
    PublishedEvent,
    TableSample,
    WebhookAttempt,
    WebhookDelivery,
)
from systemadmin.services import change_settings, notify_user, raise_alert, webhooks
from systemadmin.services.event_log import dispatch_events
from systemadmin.services.retention import chunks as chunks_module
from systemadmin.services.retention import prune_nightly, prune_rules, retention_overview
from systemadmin.services.retention.samples import sample_tables
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_backup(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "systemadmin.services.retention.nightly.backup_since", lambda *args: asked.append(args)
    )
    return asked


def ago(days):
    return timezone.now() - timedelta(days=days)


def closed(ticket, days, **values):
    moment = ago(days)
    done = {"status": "closed", "resolved_at": moment, "closed_at": moment, "updated_at": moment}
    Ticket.objects.filter(pk=ticket.pk).update(**{**done, **values})
    ticket.refresh_from_db()
    return ticket


def hold(account):
    LegalHold.objects.create(account=account, reason="court", ends_at=ago(-30))


class TestTickets:
    def test_a_ticket_closed_long_ago_goes_with_all_that_is_its(self, no_backup, settings):
        old = closed(make_ticket(), 1100)
        recent = closed(make_ticket(), 1000)
        make_ticket()
        reply = old.replies.get()
        attachment = Attachment.objects.create(
            reply=reply, name="a.txt", content_type="text/plain", size=1, sha256="x"
        )
        attachment.file.save("a.txt", ContentFile(b"x"))
        path = Path(attachment.file.path)
        mail, _new = store_mail(mailbox=make_mailbox(), raw=b"From: a@b.example\n\nHi")
        InboundMessage.objects.filter(pk=mail.pk).update(ticket=old, status="processed")
        assert path.exists()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "on_commit", lambda call: call())
            assert prune_rules(["tickets"]) == {"tickets": 1}
        assert set(Ticket.objects.values_list("pk", flat=True)) >= {recent.pk}
        assert not Ticket.objects.filter(pk=old.pk).exists()
        assert not InboundMessage.objects.filter(pk=mail.pk).exists()
        assert not path.exists()
        assert not PrunedFile.objects.exists()
        assert no_backup, "a backup comes first"

    def test_a_file_left_behind_by_a_killed_run_goes_the_next_night(self, tmp_path):
        storage = Attachment._meta.get_field("file").storage
        name = storage.save("left.txt", ContentFile(b"x"))
        PrunedFile.objects.create(field="support.Attachment.file", name=name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "on_commit", lambda call: call())
            prune_nightly()
        assert not storage.exists(name)
        assert not PrunedFile.objects.exists()

    def test_what_was_rated_or_touched_lately_or_is_held_stays(self):
        rated = closed(make_ticket(), 1100)
        rate_ticket(user=rated.requester, ticket=rated, score=5)
        closed(rated, 1100)
        touched = closed(make_ticket(), 1100, updated_at=ago(3))
        held = closed(make_ticket(), 1100)
        hold(held.requester)
        assert prune_rules(["tickets"]) == {"tickets": 0}
        assert Ticket.objects.filter(pk__in=[rated.pk, touched.pk, held.pk]).count() == 3

    def test_a_merged_ticket_goes_with_the_one_it_was_merged_into(self):
        root = make_ticket()
        merged = closed(make_ticket(), 1100, merged_into=root)
        assert prune_rules(["tickets"]) == {"tickets": 0}
        closed(root, 1100)
        assert sum(prune_rules(["tickets"])["tickets"] for _night in range(2)) == 2
        assert not Ticket.objects.filter(pk__in=[root.pk, merged.pk]).exists()

    def test_raw_mail_is_emptied_some_time_after_its_ticket_closed(self):
        box = make_mailbox()
        mails = [store_mail(mailbox=box, raw=b"From: a@b.example\n\n%d" % n)[0] for n in range(4)]
        tickets = [closed(make_ticket(), 100), closed(make_ticket(), 10), make_ticket(), None]
        for mail, ticket in zip(mails, tickets, strict=True):
            InboundMessage.objects.filter(pk=mail.pk).update(
                ticket=ticket, status="processed" if ticket else "received", created_at=ago(500)
            )
        assert prune_rules(["raw_mail", "unticketed_mail"]) == {
            "raw_mail": 1,
            "unticketed_mail": 0,
        }
        sizes = [len(InboundMessage.objects.get(pk=mail.pk).raw) for mail in mails]
        assert sizes[0] == 0
        assert all(sizes[1:])
        assert prune_rules(["raw_mail"]) == {"raw_mail": 0}

    def test_mail_that_can_still_be_sent_keeps_its_text(self):
        for number in range(4):
            make_ticket(requester_email=f"c{number}@example.com", requester_name="C")
        rows = list(OutboundMessage.objects.order_by("pk")[:4])
        for row, status in zip(rows, ("sent", "pending", "failed", "bounced"), strict=True):
            OutboundMessage.objects.filter(pk=row.pk).update(status=status, created_at=ago(100))
        assert prune_rules(["outgoing_mail_texts"]) == {"outgoing_mail_texts": 1}
        texts = [OutboundMessage.objects.get(pk=row.pk).text for row in rows]
        assert texts[0] == ""
        assert all(texts[1:])


class TestNoticesAndAlerts:
    def test_texts_of_sent_notices_go_before_the_notices(self):
        user = UserFactory()
        made = [
            notify_user(user=user, kind="k", subject="s", body="b", key=f"k{n}")[0].pk
            for n in range(4)
        ]
        for pk, (status, days) in zip(
            made, [("sent", 100), ("failed", 100), ("pending", 900), ("sent", 500)], strict=True
        ):
            Notification.objects.filter(pk=pk).update(status=status, created_at=ago(days))
        assert prune_rules(["notice_texts", "notices"]) == {"notice_texts": 2, "notices": 1}
        left = dict(Notification.objects.values_list("pk", "body"))
        assert left == {made[0]: "", made[1]: "b", made[2]: "b"}
        hold(user)
        Notification.objects.update(status="sent", created_at=ago(900))
        assert prune_rules(["notices"]) == {"notices": 0}

    def test_an_open_alert_stays_and_a_resolved_one_goes_after_a_year(self):
        for key, values in {
            "old": {"status": "resolved", "resolved_at": ago(400)},
            "young": {"status": "resolved", "resolved_at": ago(300)},
            "open": {"created_at": ago(900)},
        }.items():
            raise_alert(rule="r", key=key, severity="info", summary="x")
            Alert.objects.filter(key=key).update(**values)
        notice = AlertNotice.objects.create(channel="telegram", text="x", status="sent")
        notice.alerts.add(Alert.objects.get(key="old"))
        assert prune_rules(["alerts"]) == {"alerts": 1}
        assert set(Alert.objects.values_list("key", flat=True)) == {"young", "open"}


class TestWebhooks:
    @pytest.fixture
    def messages(self):
        webhooks.create_endpoint(
            actor=shop.root(), url="https://example.com/in", description="", event_types=[]
        )
        for number in range(2):
            PublishedEvent.objects.create(
                kind="order.created", key=f"k{number}", event_id=f"m{number}"
            )
        dispatch_events()
        PublishedEvent.objects.update(occurred_at=ago(100))
        deliveries = list(WebhookDelivery.objects.order_by("pk"))
        for delivery in deliveries:
            WebhookAttempt.objects.create(delivery=delivery, number=1)
        WebhookAttempt.objects.update(created_at=ago(40))
        WebhookDelivery.objects.filter(pk=deliveries[0].pk).update(status="sent")
        return [delivery.event for delivery in deliveries]

    def test_what_waits_to_be_sent_stays(self, messages):
        done = prune_rules(["webhook_attempts", "published_events"])
        assert done == {"webhook_attempts": 1, "published_events": 1}
        assert PublishedEvent.objects.get() == messages[1]
        assert WebhookAttempt.objects.get().delivery.event == messages[1]


class TestRisk:
    def test_hits_go_when_they_cannot_be_found_again(self):
        rule = AnomalyRule.objects.first()
        members, struck = [UserFactory(), UserFactory()], ago(500)
        record(*[event(one, occurred_at=struck) for one in members])
        for one, status in zip(members, ("resolved", "open"), strict=True):
            values = (
                {"outcome": "expected", "resolved_at": ago(450)} if status == "resolved" else {}
            )
            anomaly = Anomaly.objects.create(
                rule=rule,
                account=one,
                status=status,
                severity="low",
                hits=1,
                first_hit_at=struck,
                last_hit_at=struck,
                **values,
            )
            AnomalyHit.objects.create(anomaly=anomaly, rule=rule, account=one, key="k", at=struck)
        assert prune_rules(["anomaly_hits"]) == {"anomaly_hits": 0}, "its events are there"
        assert prune_rules(["events", "anomaly_hits"]) == {"events": 2, "anomaly_hits": 1}
        assert AnomalyHit.objects.get().account == members[1]

    def test_events_of_a_held_account_stay(self):
        held, other = UserFactory(), UserFactory()
        record(*[event(one, occurred_at=ago(500)) for one in (held, other)])
        hold(held)
        assert prune_rules(["events"]) == {"events": 1}
        assert held.account_events.count() == 1

    def test_files_of_refused_rows_go(self, settings, tmp_path):
        settings.VAR_DIR = tmp_path
        folder = refused_folder()
        folder.mkdir()
        for name, days in {"old.csv": 40, "new.csv": 1}.items():
            path = folder / f"{name}.refused.csv"
            path.write_text("x")
            moment = ago(days).timestamp()
            os.utime(path, (moment, moment))
        assert prune_rules(["refused_files"]) == {"refused_files": 1}
        assert [path.name for path in folder.iterdir()] == ["new.csv.refused.csv"]


class TestTheRun:
    @pytest.fixture
    def many(self, monkeypatch):
        monkeypatch.setattr(chunks_module, "CHUNK", {"postgresql": 3, "sqlite": 3})
        monkeypatch.setattr(chunks_module, "WINDOW", 4)
        for number in range(10):
            Alert.objects.create(
                rule="r",
                key=str(number),
                severity="info",
                summary="x",
                last_seen_at=ago(500),
                status="resolved" if number % 5 else "firing",
                resolved_at=ago(400) if number % 5 else None,
            )

    def test_it_goes_in_chunks_past_rows_that_stay(self, many):
        assert prune_rules(["alerts"]) == {"alerts": 8}
        assert Alert.objects.count() == 2

    def test_a_killed_run_goes_on_at_the_next_one(self, many):
        def die(_rule, _rows):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            prune_rules(["alerts"], progress=die)
        left = Alert.objects.count()
        assert 2 < left < 10
        assert prune_rules(["alerts"]) == {"alerts": left - 2}

    def test_what_does_not_end_in_its_time_says_so_and_comes_first_next_time(self, many):
        assert prune_rules(["alerts"], max_seconds=0)["alerts"] < 8
        state = PruningState.objects.get(rule="alerts")
        assert (state.is_complete, state.error) == (False, "")
        from systemadmin.services.retention.nightly import _by_need

        assert _by_need()[0] == "alerts"
        prune_rules(["alerts"])
        state.refresh_from_db()
        assert (state.is_complete, state.removed_total) == (True, 8)

    def test_an_error_is_seen_on_the_page_the_status_and_the_list(self, monkeypatch):
        def fail(*_args, **_options):
            raise RuntimeError("no disk")

        monkeypatch.setattr("systemadmin.services.retention.nightly.remove_due", fail)
        assert prune_rules(["alerts", "stream_events"]) == {"stream_events": 0}
        assert PruningState.objects.get(rule="alerts").error == "RuntimeError: no disk"
        assert BatchFailure.objects.get(batch="systemadmin.prune").key == "alerts"
        from systemadmin.status import retention

        assert retention()["failing"] == ["alerts"]
        assert retention()["status"] == "warning"

    def test_two_runs_at_once_do_the_work_once(self, many, monkeypatch):
        from contextlib import contextmanager

        @contextmanager
        def taken(_name):
            yield False

        monkeypatch.setattr("systemadmin.services.retention.nightly.named_lock", taken)
        assert prune_rules(["alerts"]) == {}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_row_that_a_worker_holds_waits_for_the_next_night():
    for number in range(2):
        raise_alert(rule="r", key=str(number), severity="info", summary="x")
    Alert.objects.update(status="resolved", resolved_at=ago(400))
    held, done = threading.Event(), threading.Event()

    def work():
        with transaction.atomic():
            Alert.objects.select_for_update().get(key="0")
            held.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert held.wait(30)
        assert prune_rules(["alerts"]) == {"alerts": 1}
    finally:
        done.set()
        thread.join()
    assert prune_rules(["alerts"]) == {"alerts": 1}


class TestCommand:
    @pytest.fixture(autouse=True)
    def old_alert(self):
        raise_alert(rule="r", severity="info", summary="x")
        Alert.objects.update(status="resolved", resolved_at=ago(400))

    def test_a_dry_run_counts_and_removes_nothing(self, capsys):
        change_settings(actor=None, values={"retention.event_days": 0})
        call_command("prune", "--all", "--dry-run")
        said = capsys.readouterr().out
        assert "alerts: 1 of systemadmin_alert" in said
        assert "events: kept for ever (retention.event_days is 0)" in said
        assert Alert.objects.exists()

    @pytest.mark.parametrize("name", ["systemadmin_alert", "alerts"])
    def test_one_table_by_its_name_or_by_its_rule(self, capsys, name):
        call_command("prune", "--table", name)
        assert "alerts: 1" in capsys.readouterr().out
        assert not Alert.objects.exists()

    @pytest.mark.parametrize(
        "options", [[], ["--table", "nothing"], ["--all", "--table", "alerts"]]
    )
    def test_wrong_options_are_refused(self, options):
        with pytest.raises(CommandError) as refused:
            call_command("prune", *options)
        assert refused.value.returncode == 2
        assert Alert.objects.exists()


class TestOverview:
    def test_growth_is_measured_from_the_samples(self):
        today = timezone.now().date()
        for days, rows in ((7, 1), (30, 0)):
            TableSample.objects.create(
                table="systemadmin_user", day=today - timedelta(days=days), rows=rows
            )
        UserFactory.create_batch(3)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE systemadmin_user")
        row = next(row for row in retention_overview() if row["table"] == "systemadmin_user")
        assert row["grown_30_days"] == row["rows"]
        assert row["grown_7_days"] == row["rows"] - 1
        assert sample_tables() == sample_tables()
        samples = TableSample.objects.filter(day=today)
        assert samples.filter(table="systemadmin_user").count() == 1

    def test_the_api_and_the_page_show_every_table(self, as_user, staff, admin_client_for):
        operator = staff("operator")
        prune_rules(["alerts"])
        rows = as_user(operator).get("/api/admin/retention").json()["results"]
        alerts = next(row for row in rows if row["table"] == "systemadmin_alert")
        assert alerts["rules"][0]["setting"] == "retention.alert_days"
        assert alerts["rules"][0]["last_run_at"]
        page = admin_client_for(operator).get(reverse("admin:retention"))
        assert page.status_code == 200
        assert "systemadmin_" not in page.content.decode(), "names that people know"
        agent = staff("support_agent")
        assert as_user(agent).get("/api/admin/retention").status_code == 403
        assert admin_client_for(agent).get(reverse("admin:retention")).status_code == 403
