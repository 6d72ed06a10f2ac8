"""Removing the demo: exactly its rows, never a real one, and never half of it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone

from systemadmin import services, status
from systemadmin.errors import DemoPurgeRunning, DemoRowsInUse
from systemadmin.foundation import plugins
from systemadmin.foundation.testing import problem
from systemadmin.models import (
    ApiToken,
    AuditEntry,
    Demo2FASession,
    Notification,
    RecoveryCode,
    User,
)
from systemadmin.services import demo
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.tests.factories import StaffFactory, UserFactory, totp_device_for

pytestmark = pytest.mark.django_db

URL = "/api/admin/demo/purge"


@pytest.fixture(autouse=True)
def nothing_but_the_base_app(monkeypatch):
    """What the desks list is tested with all of them together, in config."""
    every = plugins.modules
    base = [module for module in every("demo") if "systemadmin" in module.__name__]
    monkeypatch.setattr(
        plugins, "modules", lambda name: iter(base) if name == "demo" else every(name)
    )
    monkeypatch.delattr(services, "backup_before", raising=False)


@pytest.fixture
def town(db):
    """Two demo members and demo staff with everything the base app hangs on an account."""
    members = [UserFactory(is_demo=True) for _ in range(2)]
    operator = StaffFactory(is_demo=True, role="operator")
    ApiToken.objects.create(user=members[0])
    totp_device_for(operator)
    RecoveryCode.objects.create(user=operator, digest="x")
    Demo2FASession.everything.create(user=operator, expires_at=timezone.now())
    return [*members, operator]


class TestWhatIsRemoved:
    def test_exactly_the_demo_rows(self, town, member, as_user, superuser):
        as_user(member)
        report = demo.purge_demo(actor=superuser)
        assert report.counts["systemadmin.User"] == 3
        assert report.counts["systemadmin.ApiToken"] == 1
        assert report.counts["systemadmin.User_groups"] == 1
        assert report.total == sum(report.counts.values()) == 8
        assert not User.objects.demo().exists()
        assert set(User.objects.values_list("username", flat=True)) == {"marta", "root"}
        assert ApiToken.objects.get().user == member

    def test_a_dry_run_counts_the_same_and_changes_nothing(self, town, superuser):
        dry = demo.purge_demo(actor=superuser, dry_run=True)
        assert User.objects.demo().count() == 3
        assert not AuditEntry.objects.filter(action="systemadmin.demo.purged").exists()
        real = demo.purge_demo(actor=superuser)
        assert (dry.counts, dry.total) == (real.counts, real.total)

    def test_twice_is_once(self, town, superuser):
        demo.purge_demo(actor=superuser)
        assert demo.purge_demo(actor=superuser).total == 0

    def test_it_is_audited_and_the_trail_outlives_the_demo(self, town, superuser):
        from systemadmin import audit

        audit.record("systemadmin.something", actor=town[2], target=town[0])
        seal_audit_trail()
        report = demo.purge_demo(actor=superuser)
        assert report.detached == {}, "audit rows keep the key of their actor"
        assert verify_audit_trail().holds
        entry = AuditEntry.objects.get(action="systemadmin.demo.purged")
        assert entry.actor == superuser
        assert entry.metadata["counts"]["systemadmin.User"] == 3
        kept = AuditEntry.objects.get(action="systemadmin.something")
        assert kept.actor_name == town[2].username

    def test_a_demo_operator_may_purge_himself(self, town):
        demo.purge_demo(actor=town[2])
        assert AuditEntry.objects.get(action="systemadmin.demo.purged").actor is None

    def test_browser_sessions_of_the_demo_end(self, town, admin_client_for, settings):
        settings.DEMO_MODE = True
        browser = admin_client_for(town[2])
        assert browser.get("/admin/").status_code == 200
        demo.purge_demo(actor=None)
        assert browser.get("/admin/").status_code == 302


class TestWhatStandsInTheWay:
    @pytest.fixture
    def entangled(self, town, member, monkeypatch):
        """A real member's row that cascades from a demo account: made of two foreign keys."""
        monkeypatch.setattr(
            demo,
            "_is_of_real_account",
            lambda row, users: isinstance(row, Notification) or row.user_id not in users,
        )
        return Notification.objects.create(
            user=town[0], kind="x", subject="x", body="x", channel="email", key="k"
        )

    def test_the_row_is_named_and_nothing_is_removed(self, town, entangled, superuser):
        with pytest.raises(DemoRowsInUse) as refusal:
            demo.purge_demo(actor=superuser)
        assert f"{entangled._meta.verbose_name} {entangled.pk}" in str(refusal.value)
        assert User.objects.demo().count() == 3
        assert ApiToken.objects.exists()

    def test_a_dry_run_tells_it_without_refusing(self, town, entangled, superuser):
        report = demo.purge_demo(actor=superuser, dry_run=True)
        assert len(report.blockers) == 1

    def test_the_endpoint_answers_409_with_the_rows(self, entangled, as_user, superuser):
        body = problem(as_user(superuser).post(URL, {}), 409, "demo_rows_in_use")
        assert len(body["blockers"]) == 1

    def test_the_command_ends_with_an_error(self, entangled):
        with pytest.raises(CommandError, match="depend on demo rows"):
            call_command("purge_demo", stdout=StringIO())
        with pytest.raises(CommandError):
            call_command("purge_demo", dry_run=True, stdout=StringIO(), stderr=StringIO())
        assert User.objects.demo().count() == 3


class TestBackup:
    def test_it_comes_first(self, town, superuser, monkeypatch):
        seen = []

        def backup_before(reason, *, actor):
            seen.append((reason, actor, User.objects.demo().count()))
            return "backup 7"

        monkeypatch.setattr(services, "backup_before", backup_before, raising=False)
        report = demo.purge_demo(actor=superuser)
        assert seen == [("demo purge", superuser, 3)]
        assert report.backup == "backup 7"
        assert AuditEntry.objects.get(action="systemadmin.demo.purged").metadata["backup"]

    def test_without_it_nothing_is_removed(self, town, superuser, monkeypatch):
        def backup_before(reason, *, actor):
            raise OSError("disk full")

        monkeypatch.setattr(services, "backup_before", backup_before, raising=False)
        with pytest.raises(OSError, match="disk full"):
            demo.purge_demo(actor=superuser)
        assert User.objects.demo().count() == 3

    def test_where_backups_are_switched_off_none_is_named(self, town, superuser, monkeypatch):
        monkeypatch.setattr(services, "backup_before", lambda *_, **__: None, raising=False)
        assert demo.purge_demo(actor=superuser).backup is None

    def test_none_for_a_dry_run_or_an_empty_demo(self, superuser, monkeypatch):
        monkeypatch.setattr(services, "backup_before", pytest.fail, raising=False)
        demo.purge_demo(actor=superuser, dry_run=True)
        demo.purge_demo(actor=superuser)


def test_only_one_at_a_time(town, superuser, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def taken(name):
        yield False

    monkeypatch.setattr(demo, "named_lock", taken)
    with pytest.raises(DemoPurgeRunning):
        demo.purge_demo(actor=superuser)


class TestEndpoint:
    def test_dry_run_then_purge(self, town, as_user, staff):
        client = as_user(staff("operator"))
        dry = client.post(URL, {"dry_run": True}).json()
        assert (dry["dry_run"], dry["counts"]["systemadmin.User"]) == (True, 3)
        assert User.objects.demo().count() == 3
        body = client.post(URL, {}).json()
        assert (body["dry_run"], body["total"]) == (False, dry["total"])
        assert not User.objects.demo().exists()

    @pytest.mark.parametrize("body", [{"dry_run": "perhaps"}, {"force": True}])
    def test_malformed_input_is_400(self, as_user, superuser, body):
        problem(as_user(superuser).post(URL, body), 400)


def test_the_command_prints_counts(town):
    out = StringIO()
    call_command("purge_demo", dry_run=True, stdout=out)
    assert "8 demo rows would be removed" in out.getvalue()
    call_command("purge_demo", stdout=out)
    assert "systemadmin.User" in out.getvalue()
    assert not User.objects.demo().exists()


class TestWarnings:
    def messages(self):
        return [each.id for each in run_checks(databases=["default"], tags=["database"])]

    def test_demo_rows_without_demo_mode_are_warned_of(self, town, settings):
        settings.DEMO_MODE = False
        assert "atalaya.W003" in self.messages()
        assert status.demo()["status"] == "warning"

    def test_in_demo_mode_they_belong(self, town, settings):
        settings.DEMO_MODE = True
        assert "atalaya.W003" not in self.messages()
        assert status.demo()["status"] == "ok"

    def test_no_rows_no_warning(self, db, settings):
        settings.DEMO_MODE = False
        assert "atalaya.W003" not in self.messages()

    def test_before_the_first_migrate_it_is_silent(self, db, settings, monkeypatch):
        from systemadmin import checks

        def no_table():
            raise DatabaseError("no such table")

        settings.DEMO_MODE = False
        monkeypatch.setattr(checks, "has_demo_rows", no_table)
        assert "atalaya.W003" not in self.messages()


def test_an_expired_demo_session_is_swept(town):
    from systemadmin.services.retention import prune_rules

    Demo2FASession.everything.create(user=town[2], expires_at=timezone.now() + timedelta(minutes=1))
    assert prune_rules(["demo_sessions"]) == {"demo_sessions": 1}
    assert Demo2FASession.everything.count() == 1
