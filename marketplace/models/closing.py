"""Months whose books are closed."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel


class ClosedMonth(VersionedModel):
    """A month in which nothing is booked any more, with the turnover it was closed with.

    One that was opened again stays as a row of record; closing the month anew makes another.
    """

    month = models.DateField(_("month"), help_text=_("Its first day."))
    # The bounds are kept: a later change of the place's zone must not move them.
    start_at = models.DateTimeField(_("begins at"))
    end_at = models.DateTimeField(_("ends at"))
    # {currency: {account: turnover}}, demo money left out.
    totals = models.JSONField(_("turnover"), default=dict, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("closed by"),
        null=True,
        blank=True,
        related_name="+",
    )
    reopened_at = models.DateTimeField(_("opened again at"), null=True, blank=True)
    reopened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("reopened by"),
        null=True,
        blank=True,
        related_name="+",
    )
    reopen_reason = models.CharField(_("reason of opening"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering = ["-month", "-id"]
        permissions = [("reopen_closedmonth", _("Can open a closed month again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["month"],
                condition=Q(reopened_at__isnull=True),
                name="mp_closed_month_once",
                violation_error_message=_("The month is closed already."),
            ),
            models.CheckConstraint(
                condition=Q(end_at__gt=F("start_at")),
                name="mp_closed_month_has_length",
                violation_error_message=_("A month ends after it begins."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
