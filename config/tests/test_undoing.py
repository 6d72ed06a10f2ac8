"""What a colleague did is undone with a reason, and the colleague is told."""

from unittest import mock
from urllib.parse import quote

import pytest
from django.core.management import call_command

from support.models import BlockedSender
from support.services.spam import block_sender, mark_spam, unmark_spam
from support.tests.factories import make_ticket
from systemadmin.backups import retention
from systemadmin.models import AuditEntry, Backup, Notification, ServiceKey
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.backups.factories import BackupFactory
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped(db, monkeypatch):
    call_command("setup", verbosity=0)
    monkeypatch.setattr(retention, "open_vault", mock.Mock())
    monkeypatch.setattr(retention, "pins", mock.Mock())


def blocked(actor):
    row = block_sender(actor=actor, address="spam@example.org", reason="ads")
    return row, row.address, lambda: BlockedSender.objects.exists()


def pinned(actor):
    row = retention.set_pinned(actor=actor, backup=BackupFactory(), pinned=True)
    return row, row.name, lambda: Backup.objects.get(pk=row.pk).is_pinned


def key(actor):
    row = create_service_key(actor=actor, name="sync", owner=actor, permissions=[]).key
    return row, row.name, lambda: ServiceKey.objects.live().exists()


def by_call(path, method="post", body=None):
    def undo(client, pk, reason):
        headers = {"HTTP_APPROVAL_REASON": quote(reason)} if reason else {}
        sent = {**body, "reason": reason} if body is not None else None
        return getattr(client, method)(path.format(pk), sent, format="json", **headers)

    return undo


def by_page(name, action):
    def undo(browser, pk, reason):
        form = {"action": action, "_selected_action": pk, "apply": "1", "reason": reason}
        return browser.post(f"/admin/{name}/", form, follow=True)

    return undo


UNDOING = {
    "unblock": ("support_agent", blocked, by_call("/api/admin/blocked-senders/{}", "delete")),
    "unblock in the admin": (
        "support_agent",
        blocked,
        by_page("support/blockedsender", "unblock"),
    ),
    "unpin": ("operator", pinned, by_call("/api/admin/backups/{}/unpin")),
    "unpin in the admin": ("operator", pinned, by_page("systemadmin/backup", "unpin")),
    "revoke": ("operator", key, by_call("/api/admin/service-keys/{}/revoke", body={})),
}


@pytest.mark.parametrize("what", sorted(UNDOING))
@pytest.mark.parametrize("whose", ["own", "a colleague's"])
def test_a_colleague_is_told_why(what, whose, as_user, admin_client_for):
    role, make, undo = UNDOING[what]
    actor, colleague = StaffFactory(role=role), StaffFactory(role=role, language="es")
    row, name, is_there = make(actor if whose == "own" else colleague)
    client = admin_client_for(actor) if "admin" in what else as_user(actor)
    if whose != "own":
        refused = undo(client, row.pk, "")
        assert "admin" in what or refused.status_code == 400, refused.content
        assert is_there()
    undo(client, row.pk, "asked for")
    assert not is_there()
    entry = AuditEntry.objects.filter(action__regex="(unblocked|unpinned|revoked)$").latest("id")
    assert (entry.actor, entry.reason) == (actor, "asked for")
    notices = Notification.objects.filter(kind="duties.undone")
    if whose == "own":
        assert not notices.exists()
    else:
        notice = notices.get()
        assert notice.user == colleague
        assert all(part in notice.body for part in (name, "asked for", actor.get_username()))


def test_what_came_with_a_mark_as_spam_goes_with_it_and_is_told():
    first, second = StaffFactory(role="support_agent"), StaffFactory(role="support_agent")
    ticket = make_ticket(None, requester_email="spam@example.org")
    mark_spam(actor=first, ticket=ticket, block=True)
    unmark_spam(actor=second, ticket=ticket)
    assert not BlockedSender.objects.exists()
    assert Notification.objects.get().user == first
