"""Rows of batches that raised: what staff see, and what keeps them from being tried at once."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class BatchFailure(models.Model):
    """One row that a batch could not handle, until it goes through or is retried by hand."""

    batch = models.CharField(_("batch"), max_length=100)
    key = models.CharField(_("row"), max_length=200)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    first_failed_at = models.DateTimeField(_("first failed at"))
    last_failed_at = models.DateTimeField(_("last failed at"))
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    given_up_at = models.DateTimeField(_("given up at"), null=True, blank=True)

    class Meta:
        verbose_name = _("failed row")
        verbose_name_plural = _("failed rows")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "key"],
                name="systemadmin_batch_failure_one_per_row",
                violation_error_message=_("This row is already on the list."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.key}"
