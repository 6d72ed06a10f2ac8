"""What the team says to many members at once."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel


class BroadcastKind(models.TextChoices):
    """How much a broadcast matters; promotions may be declined, urgent ones reach Telegram."""

    INFORMATION = "information", _("Information")
    WARNING = "warning", _("Warning")
    URGENT = "urgent", _("Urgent")
    PROMOTION = "promotion", _("Promotion")
    UPDATE = "update", _("Update")


class BroadcastStatus(models.TextChoices):
    """Where a broadcast stands."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    CANCELLED = "cancelled", _("Cancelled")


class Broadcast(VersionedModel):
    """A message to everyone, or to everyone a filter names.

    `reached_user_id` is the only progress there is: it moves in the transaction that delivers,
    so a killed worker leaves either a whole chunk or none of it.
    """

    kind = models.CharField(
        _("kind"), max_length=12, choices=BroadcastKind, default=BroadcastKind.INFORMATION
    )
    title = models.CharField(_("title"), max_length=150)
    body = models.TextField(_("body"))
    roles = models.JSONField(_("roles"), default=list, blank=True)
    countries = models.JSONField(_("countries"), default=list, blank=True)
    risk_levels = models.JSONField(_("risk levels"), default=list, blank=True)
    is_verified = models.BooleanField(_("verified members"), null=True, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=BroadcastStatus, default=BroadcastStatus.DRAFT
    )
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    progress_at = models.DateTimeField(_("last progress at"), null=True, blank=True)
    # Everyone who existed when it started; later members are not surprised by old news.
    last_user_id = models.BigIntegerField(_("up to member"), null=True, blank=True)
    reached_user_id = models.BigIntegerField(_("reached member"), default=0)
    recipient_count = models.PositiveIntegerField(_("recipients"), null=True, blank=True)
    delivered_count = models.PositiveIntegerField(_("delivered"), default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(scheduled_at__isnull=False),
                name="messaging_broadcast_scheduled_has_moment",
                violation_error_message=_("A scheduled broadcast says when."),
            ),
        ]
        indexes = [
            # The minute's sweep for what is due or has stalled.
            models.Index(
                fields=["status", "scheduled_at"],
                condition=Q(status__in=["scheduled", "sending"]),
                name="messaging_broadcast_waiting",
            ),
        ]
        permissions = [("send_broadcast", _("Can send, schedule and cancel broadcasts"))]

    def __str__(self) -> str:
        return self.title
