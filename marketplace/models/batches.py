"""Payouts that go to the bank in one file."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel


class PayoutBatch(VersionedModel):
    """Payouts in one file for the bank; the file is made once and kept as it is."""

    currency = models.CharField(_("currency"), max_length=3)
    execution_on = models.DateField(_("day of execution"))
    count = models.PositiveIntegerField(_("payouts"))
    amount = models.BigIntegerField(_("amount"))
    # pain.001 and CSV, encrypted: they hold bank accounts. A file made anew would have another
    # message id, and a bank would carry it out again.
    pain001_sealed = models.TextField(_("pain001 sealed"), blank=True, editable=False)
    csv_sealed = models.TextField(_("csv sealed"), blank=True, editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        verbose_name = _("payout batch")
        verbose_name_plural = _("payout batches")
        ordering = ["-id"]
        permissions = [("download_payoutbatch", _("Can download a payout file"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=1, count__gte=1),
                name="mp_batch_pays_something",
                violation_error_message=_("A batch pays something."),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
