"""Rows of backups for tests that need no real files."""

import factory
from django.utils import timezone

from systemadmin.backups.vault import new_name
from systemadmin.models import Backup, Restore


class BackupFactory(factory.django.DjangoModelFactory):
    """A complete backup, as far as its row says."""

    class Meta:
        model = Backup

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
