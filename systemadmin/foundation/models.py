"""Abstract models that every desk stands on."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class TimestampedModel(models.Model):
    """When a row was made and last changed (UTC)."""

    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        abstract = True


class VersionedModel(TimestampedModel):
    """A row that people edit: the version is what `ETag` and `If-Match` compare."""

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta:
        abstract = True

    def bump(self) -> None:
        """Raise the version; the caller saves."""
        self.version += 1


class AppendOnlyError(Exception):
    """Someone tried to change or delete a row of record."""


class AppendOnlyModel(models.Model):
    """A row of record: written once, never changed, deleted only by retention."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None and not self._state.adding:
            raise AppendOnlyError(f"{type(self).__name__} rows are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError(f"{type(self).__name__} rows are never deleted one by one.")
