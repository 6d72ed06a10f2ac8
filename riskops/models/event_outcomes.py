"""What became of single events and of counterparties, with the time it became known."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from riskops.models.events import identifier_key


class EventOutcome(models.Model):
    """An event, or a counterparty as such, that turned out to be fraud or legitimate."""

    # Of the event; a counterparty as such has none and stands under its own name.
    source = models.CharField(_("source"), max_length=32)
    external_id = models.CharField(_("external id"), max_length=128)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # account and moment are indexed together
        verbose_name=_("account"),
    )
    counterparty = identifier_key(_("counterparty wallet"))
    occurred_at = models.DateTimeField(_("occurred at"))
    is_fraud = models.BooleanField(_("fraud"))
    known_at = models.DateTimeField(_("known since"))
    recorded_at = models.DateTimeField(_("recorded at"), auto_now_add=True)

    class Meta:
        verbose_name = _("outcome of an event")
        verbose_name_plural = _("outcomes of events")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                name="riskops_eventoutcome_once",
                violation_error_message=_("What became of this is known already."),
            ),
        ]
        indexes = [
            # The share of bad outcomes of a counterparty over a window.
            models.Index(
                fields=["counterparty", "occurred_at"],
                condition=Q(is_fraud=True, counterparty__isnull=False),
                name="riskops_eventoutcome_bad",
            ),
            models.Index(fields=["account", "occurred_at"], name="riskops_eventoutcome_account"),
            # Retention.
            models.Index(fields=["occurred_at"], name="riskops_eventoutcome_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.source}/{self.external_id}"
