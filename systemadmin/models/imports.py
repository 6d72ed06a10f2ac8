"""Imports of files: how far each got, so that a killed one goes on where it stopped."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel


class FileImport(TimestampedModel):
    """One file with one meaning; written in the transaction of each batch."""

    kind = models.CharField(_("kind"), max_length=40)
    key = models.CharField(_("key"), max_length=64, unique=True)
    path = models.CharField(_("file"), max_length=400)
    rows_done = models.PositiveBigIntegerField(_("rows done"), default=0)
    created = models.PositiveBigIntegerField(_("created"), default=0)
    updated = models.PositiveBigIntegerField(_("updated"), default=0)
    unchanged = models.PositiveBigIntegerField(_("unchanged"), default=0)
    refused = models.PositiveBigIntegerField(_("refused"), default=0)
    refused_bytes = models.PositiveBigIntegerField(_("bytes of refused rows"), default=0)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("import of a file")
        verbose_name_plural = _("imports of files")

    def __str__(self) -> str:
        return self.path
