"""The commands that django-dbbackup ships are ours, or refused."""

import pkgutil
from unittest.mock import Mock

import pytest
from dbbackup.management import commands as theirs
from django.core.management import CommandError, call_command, get_commands

from systemadmin.models import Alert, ApprovalRequest, AuditEntry, User
from systemadmin.tests.backups.factories import BackupFactory, RestoreFactory
from systemadmin.tests.factories import StaffFactory, UserFactory


def test_every_command_of_the_package_is_ours():
    names = {module.name for module in pkgutil.iter_modules(theirs.__path__)} - {"_base"}
    assert {"dbbackup", "dbrestore", "mediabackup", "mediarestore", "listbackups"} <= names
    found = get_commands()
    assert {name: found[name] for name in names} == dict.fromkeys(names, "systemadmin")


@pytest.mark.parametrize("name", ["mediabackup", "mediarestore"])
def test_files_alone_are_neither_written_nor_read(name, own_place):
    """The package's own command writes an archive that anybody can read."""
    with pytest.raises(CommandError, match="Uploaded files"):
        call_command(name)
    assert not list(own_place.rglob("*.tar*"))
    assert not (own_place / "backups").exists()


@pytest.mark.django_db
def test_listbackups_lists_ours_with_their_state(capsys):
    BackupFactory(name="ours", is_pinned=True)
    BackupFactory(name="theirs", installation="other")
    call_command("listbackups")
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["theirs", "ours"]
    assert said[0].endswith("of other")
    assert said[1].endswith("own pinned")


@pytest.mark.two_people
@pytest.mark.django_db
class TestSecondPerson:
    """A restore on the command line waits, or says that it is an emergency."""

    @pytest.fixture(autouse=True)
    def restored(self, monkeypatch):
        """Restores that were run, by the name of the backup."""
        call_command("setup", verbosity=0)
        done = []

        def run(*, backup, **_wish):
            done.append(backup.name)
            return RestoreFactory(backup=backup, closed_seconds=1.0)

        command = "systemadmin.management.commands.restore_backup"
        monkeypatch.setattr(f"{command}.restore_backup", run)
        monkeypatch.setattr(f"{command}.open_vault", Mock())
        return done

    def test_it_waits_with_a_reason(self, restored, capsys):
        backup = BackupFactory()
        with pytest.raises(CommandError, match="Say why"):
            call_command("restore_backup", backup.name, "--confirm", "x")
        call_command("restore_backup", backup.name, "--confirm", "x", "--reason", "bad import")
        assert "waiting for a second person" in capsys.readouterr().out
        row = ApprovalRequest.objects.get()
        assert (row.asked_by_name, row.reason) == ("command line", "bad import")
        assert restored == []

    def test_an_emergency_is_audited_and_alerted(self, restored):
        backup = BackupFactory()
        call_command(
            "restore_backup", backup.name, "--confirm", "x", "--emergency", "--reason", "fire"
        )
        assert restored == [backup.name]
        entry = AuditEntry.objects.get(action="systemadmin.duties.emergency")
        assert (entry.reason, entry.metadata["emergency"]) == ("fire", True)
        alert = Alert.objects.get(rule="duties.emergency")
        assert (alert.severity, alert.detail) == ("critical", "fire")

    def test_the_purge_of_the_demo_waits_where_somebody_can_approve_it(self, capsys):
        UserFactory(is_demo=True)
        StaffFactory(role="operator")
        call_command("purge_demo", "--reason", "trial is over")
        assert "waiting for a second person" in capsys.readouterr().out
        assert User.objects.demo().exists()

    def test_the_purge_of_the_demo_runs_where_nobody_can_approve_it(self, monkeypatch):
        monkeypatch.setattr("systemadmin.services.demo._backup_first", lambda actor: None)
        UserFactory(is_demo=True)
        call_command("purge_demo", "--reason", "trial is over")
        assert not User.objects.demo().exists()
        assert Alert.objects.filter(rule="duties.emergency").exists()
