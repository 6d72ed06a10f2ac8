"""Legal holds: accounts whose data has to stay until a stated day."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel
from systemadmin.querysets.legal_holds import LegalHoldQuerySet


class LegalHold(TimestampedModel):
    """One reason to keep everything about an account; ended and released ones stay as history."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        on_delete=models.CASCADE,
        related_name="legal_holds",
    )
    reason = models.TextField(_("reason"), max_length=500)
    ends_at = models.DateTimeField(
        _("ends at"), help_text=_("UTC. After it the account is treated as any other.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)

    objects = LegalHoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("created_at")),
                name="systemadmin_legal_hold_ends_after_it_begins",
                violation_error_message=_("The end must lie in the future."),
            ),
        ]
        indexes = [
            # Which accounts are held now: asked by every pruning and every erasure.
            models.Index(
                fields=["ends_at", "account"],
                name="legal_hold_in_force",
                condition=Q(released_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
