"""Rows of backups for tests that need no real files."""

from datetime import timedelta

import factory
from django.utils import timezone

from systemadmin.backups.vault import new_name
from systemadmin.models import Backup, Restore
from systemadmin.services.installation import current_installation


class BackupFactory(factory.django.DjangoModelFactory):
    """A complete backup, as far as its row says."""

    class Meta:
        model = Backup

    installation = factory.LazyFunction(current_installation)
    name = factory.LazyFunction(new_name)
    status = Backup.Status.COMPLETE
    trigger = Backup.Trigger.COMMAND
    taken_at = factory.LazyFunction(timezone.now)
    started_at = factory.LazyFunction(timezone.now)
    finished_at = factory.LazyFunction(timezone.now)
    size = 1000
    rows = 10
    tables = factory.LazyFunction(lambda: {"systemadmin_user": 10})
    migrations = factory.LazyFunction(lambda: ["systemadmin.0001_initial"])


class RestoreFactory(factory.django.DjangoModelFactory):
    """A restore that has been done."""

    class Meta:
        model = Restore

    backup = factory.SubFactory(BackupFactory)
    status = Restore.Status.DONE
    trigger = Backup.Trigger.API


def grow_old(backup, days):
    """As if it had been made so many days ago, with one backup a day since then."""
    now = timezone.now()
    Backup.objects.filter(pk=backup.pk).update(taken_at=now - timedelta(days=days))
    for day in range(days):
        # Imported ones stand in the order of their moments.
        BackupFactory(status="expired", trigger="import", taken_at=now - timedelta(days=day))
