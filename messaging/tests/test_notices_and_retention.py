"""Notices of what stays unread; expiry, export and erasure."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from messaging import services
from messaging.models import (
    Attachment,
    Conversation,
    Mailbox,
    Message,
    MessageReport,
    MessageRevision,
    Participant,
    StreamEvent,
)
from messaging.status import check
from messaging.tasks import erase_member
from messaging.tests.factories import send, true_unread
from riskops.models import AccountEvent
from systemadmin.models import AuditEntry, Backup, Notification, SystemConfig
from systemadmin.services import change_settings
from systemadmin.services.retention import prune_rules
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def make_due(*users):
    Mailbox.objects.filter(pk__in=[u.pk for u in users], notice_due_at__isnull=False).update(
        notice_due_at=timezone.now() - timedelta(seconds=1)
    )


# -- notices -------------------------------------------------------------------------


def test_a_notice_comes_after_the_delay_once_for_everything_unread(member, other_member):
    send(other_member, member)
    send(UserFactory(first_name="Nuria"), member)
    send(other_member, member)
    assert services.send_due_notices() == 0, "not before the delay"
    make_due(member)
    assert services.send_due_notices() == 1
    assert services.send_due_notices() == 0
    notice = Notification.objects.get()
    assert notice.user == member
    assert "3" in notice.subject
    assert "Oscar" in notice.body
    assert "Nuria" in notice.body
    assert "Hola" not in notice.body, "no words of a message leave the house"


def test_nothing_unread_no_notice(member, other_member):
    message = send(other_member, member)
    services.read_up_to(actor=member, message=message)
    assert Mailbox.objects.get(pk=member.pk).notice_due_at is None
    make_due(member)
    assert services.send_due_notices() == 0


def test_notices_keep_their_distance(member, other_member):
    send(other_member, member)
    make_due(member)
    services.send_due_notices()
    send(other_member, member)
    due = Mailbox.objects.get(pk=member.pk).notice_due_at
    assert due - timezone.now() > timedelta(minutes=50)


def test_members_choose_channels_and_delay(member, other_member):
    services.change_preferences(
        actor=member, changes={"email_notices": False, "notice_delay_minutes": 120}
    )
    recipient = services.recipient_of(member.pk)
    send(other_member, recipient)
    due = Mailbox.objects.get(pk=member.pk).notice_due_at
    assert due - timezone.now() > timedelta(minutes=110)
    make_due(member)
    assert services.send_due_notices() == 0, "no channel is left"
    assert not Notification.objects.exists()


def test_linked_members_hear_by_telegram_too(other_member):
    linked = UserFactory(telegram_chat_id="7")
    send(other_member, linked)
    make_due(linked)
    services.send_due_notices()
    channels = Notification.objects.values_list("channel", flat=True)
    assert set(channels) == {"email", "telegram"}


# -- retention -----------------------------------------------------------------------


def age(message, days):
    Message.objects.filter(pk=message.pk).update(created_at=timezone.now() - timedelta(days=days))


def test_messages_are_kept_for_three_years_by_default(letter, member, other_member):
    age(send(member, other_member, "old"), 1096)
    age(letter, 1094)
    assert services.expire_messages() == 1
    assert list(Message.objects.all()) == [letter]


def test_kept_for_ever_is_a_choice_that_the_status_page_names(letter):
    change_settings(actor=None, values={"messaging.retention_days": 0})
    age(letter, 4000)
    assert services.expire_messages() == 0
    assert (check()["status"], check()["kept_for_ever"]) == ("warning", True)


def test_an_installation_with_messages_keeps_them_until_somebody_decides(letter):
    migration = import_module("messaging.migrations.0004_keep_as_before")
    migration.keep_for_ever(apps, None)
    assert SystemConfig.objects.get(key="messaging.retention_days").value == 0
    # Run again, or after staff chose: what is stored stays.
    SystemConfig.objects.update(value=730)
    migration.keep_for_ever(apps, None)
    assert SystemConfig.objects.get(key="messaging.retention_days").value == 730


def test_a_new_installation_stores_nothing(db):
    import_module("messaging.migrations.0004_keep_as_before").keep_for_ever(apps, None)
    assert not SystemConfig.objects.exists()


def test_expiry_keeps_every_counter_exact(member, other_member):
    change_settings(actor=None, values={"messaging.retention_days": 30})
    old = [send(other_member, member, f"old {n}") for n in range(3)]
    for message in old:
        age(message, 31)
    kept = send(other_member, member, "kept")
    gone = send(UserFactory(), member, "gone")
    age(gone, 40)
    assert services.expire_messages() == 4
    assert list(Message.objects.all()) == [kept]
    assert true_unread(member) == services.unread_total(member.pk) == 1
    assert send(other_member, member, "next").seq == 5, "numbers are never given twice"
    listed = Participant.objects.listed_for(member.pk)
    assert [row.peer_id for row in listed] == [other_member.pk]
    assert Conversation.objects.count() == 2


def test_the_journal_is_pruned(letter):
    StreamEvent.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert services.prune_stream() == 2
    assert not StreamEvent.objects.exists()


def test_excerpts_of_old_closed_reports_are_emptied(letter, member, superuser):
    report = services.report_message(actor=member, message=letter, reason="spam", note="x")
    assert prune_rules(["report_excerpts"])["report_excerpts"] == 0
    services.dismiss_report(actor=superuser, report=report, resolution="fine")
    MessageReport.objects.update(handled_at=timezone.now() - timedelta(days=400))
    assert prune_rules(["report_excerpts"])["report_excerpts"] == 1
    report.refresh_from_db()
    assert report.excerpt == []


# -- erasure and export --------------------------------------------------------------


def test_erasing_a_member_leaves_no_word_of_theirs(member, other_member, tmp_path, capsys):
    upload = SimpleUploadedFile("nota.txt", b"secreto")
    sent = send(other_member, member, "secreto", attachment=upload)
    services.edit_message(actor=other_member, message=sent, body="otro secreto")
    kept = send(member, other_member, "mío")
    stored = Attachment.objects.get().file
    call_command("erase_messages", other_member.username, reason="asked for it")
    sent.refresh_from_db()
    assert sent.body == ""
    assert sent.erased_at
    assert not MessageRevision.objects.exists()
    assert not Attachment.objects.exists()
    kept.refresh_from_db()
    assert kept.body == "mío"
    assert true_unread(member) == services.unread_total(member.pk) == 0, "nothing to read"
    assert AuditEntry.objects.filter(action="messaging.member.erased").exists()
    assert stored.name


def test_files_are_deleted_with_their_message(
    member, other_member, django_capture_on_commit_callbacks
):
    sent = send(other_member, member, attachment=SimpleUploadedFile("n.txt", b"hola"))
    stored = Attachment.objects.get().file
    assert stored.storage.exists(stored.name)
    with django_capture_on_commit_callbacks(execute=True):
        services.erase_message(actor=None, message=sent, reason="law")
    assert not stored.storage.exists(stored.name)


def test_the_export_command_is_audited(letter, member, capsys):
    call_command("export_messages", member.username, reason="asked for it")
    assert "lámpara" in capsys.readouterr().out
    assert AuditEntry.objects.filter(action="messaging.messages.exported").exists()


# -- the risk engine hears of it --------------------------------------------------------


def test_sent_messages_reach_the_risk_engine_once(letter, member, other_member):
    assert services.report_sent_messages() == 0, "what may still be committing waits"
    Message.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert services.report_sent_messages() == 1
    assert services.report_sent_messages() == 0
    event = AccountEvent.objects.get()
    assert event.account_id == other_member.pk


def test_a_report_reaches_the_risk_engine(letter, member, other_member):
    services.report_message(actor=member, message=letter, reason="fraud")
    assert AccountEvent.objects.get().account_id == other_member.pk


def test_an_erasure_makes_no_backup_of_what_it_erases(member, other_member, settings):
    settings.BACKUP_BEFORE_CRITICAL = True
    sent = send(other_member, member, "gone for good")
    services.erase_member(actor=None, user=other_member, reason="asked for it")
    sent.refresh_from_db()
    assert (sent.body, sent.erased_at is None) == ("", False)
    assert not Backup.objects.exists()


def test_a_task_queued_by_an_earlier_release_still_erases(member, other_member):
    sent = send(other_member, member, "gone for good")
    erase_member(other_member.pk, None, "asked for it", timezone.now().isoformat())
    sent.refresh_from_db()
    assert sent.erased_at


def test_nothing_expires_without_a_backup_of_the_last_day(member, other_member, monkeypatch):
    asked = []

    def fail(moment, reason):
        asked.append(moment)
        raise OSError("disk full")

    monkeypatch.setattr("messaging.services.retention.backup_since", fail)
    change_settings(actor=None, values={"messaging.retention_days": 30})
    old = send(other_member, member, "old")
    assert services.expire_messages() == 0
    assert asked == [], "nothing to delete, no backup"
    Message.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))
    with pytest.raises(OSError, match="disk full"):
        services.expire_messages()
    assert Message.objects.filter(pk=old.pk).exists()
    assert timezone.now() - asked[0] >= timedelta(days=1)
