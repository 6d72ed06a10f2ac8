"""Reads of backups and restores."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

# Another machine's clock may be this much ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=10)


class BackupQuerySet(models.QuerySet):
    """Backups by what they are good for."""

    def complete(self) -> "BackupQuerySet":
        """Return those whose files are believed whole."""
        return self.filter(status="complete")

    def pinned_before(self, moment: datetime) -> "BackupQuerySet":
        """Pinned ones that show a moment before this one, oldest first."""
        return self.complete().filter(is_pinned=True, taken_at__lt=moment).order_by("taken_at")

    def unfinished_ones(self) -> "BackupQuerySet":
        """Queued or running: one at most."""
        return self.filter(unfinished=True)

    def newest_first(self) -> "BackupQuerySet":
        """By the moment they show; those without one by when they were asked for."""
        return self.order_by(Coalesce("taken_at", "created_at").desc(), "-id")

    def taken_since(self, moment: datetime) -> "BackupQuerySet":
        """Complete ones that show a moment after this one."""
        return self.complete().filter(taken_at__gte=moment)

    def in_use(self) -> "BackupQuerySet":
        """Return those that a restore waits for or works with, or that are its way back."""
        return self.filter(restores__unfinished=True).distinct()

    def of_installation(self, uid: str) -> "BackupQuerySet":
        """Return the backups that this installation made."""
        return self.filter(installation=uid)

    def with_maker(self, uid: str) -> "BackupQuerySet":
        """Return each with `is_own`: whether this installation made it."""
        return self.annotate(is_own=Q(installation=uid))

    def last_complete(self, now: datetime) -> Any:
        """Return the newest complete one, or None.

        One that states a later moment than now was made while the clock was wrong: it would be
        the newest for as long as the clock was ahead.
        """
        known = self.complete().filter(taken_at__lte=now + CLOCK_TOLERANCE)
        return known.order_by("-taken_at", "-id").first()


class RestoreQuerySet(models.QuerySet):
    """Restores by how far they are."""

    def unfinished_ones(self) -> "RestoreQuerySet":
        """Queued or running: one at most."""
        return self.filter(unfinished=True)
