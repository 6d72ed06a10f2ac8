"""When a backup is late: a slot whose grace is over, and nothing taken since."""

from datetime import UTC, datetime

import pytest

from systemadmin.backups.schedule import outlook
from systemadmin.tests.backups.factories import BackupFactory

pytestmark = pytest.mark.django_db


def moment(day, hour, minute=0):
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "late"),
    [
        (moment(10, 12), False),
        (moment(11, 1, 59), False),
        # By default the slot is at two o'clock and its grace lasts two hours.
        (moment(11, 3, 59), False),
        (moment(11, 4, 1), True),
        # What was missed yesterday stays missed when today's slot has only just begun.
        (moment(12, 2, 30), True),
        (moment(12, 5), True),
    ],
)
def test_late_is_what_no_backup_was_taken_for(now, late):
    BackupFactory(taken_at=moment(10, 2, 5))
    assert outlook(now).is_late is late


@pytest.mark.parametrize("hour", [1, 2, 3, 5, 23])
def test_without_any_backup_it_is_late_at_every_hour(hour):
    assert outlook(moment(10, hour, 30)).is_late


def test_the_next_one_is_told():
    assert outlook(moment(10, 12)).next_at == moment(11, 2)
    assert outlook(moment(10, 1)).next_at == moment(10, 2)
