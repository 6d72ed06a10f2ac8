"""Networks whose requests are refused: blocked by hand, or for sending too many."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel


class BlockedNetwork(TimestampedModel):
    """One address or CIDR block; lifted ones stay as history."""

    network = models.CharField(
        _("network"), max_length=50, help_text=_("An address, or a block such as 203.0.113.0/24.")
    )
    reason = models.CharField(_("reason"), max_length=300)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    is_automatic = models.BooleanField(_("automatic"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("blocked network")
        verbose_name_plural = _("blocked networks")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["network"],
                condition=Q(lifted_at__isnull=True),
                name="systemadmin_blocked_network_once",
                violation_error_message=_("This network is already blocked."),
            )
        ]

    def __str__(self) -> str:
        return self.network
