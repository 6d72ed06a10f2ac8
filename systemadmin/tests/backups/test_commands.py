"""The commands that django-dbbackup ships are ours, or refused."""

import pkgutil

import pytest
from dbbackup.management import commands as theirs
from django.core.management import CommandError, call_command, get_commands

from systemadmin.tests.backups.factories import BackupFactory


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
