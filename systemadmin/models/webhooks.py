"""Webhooks: endpoints, deliveries of published events to them, and every attempt."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel
from systemadmin.foundation.outbox import OutboxModel
from systemadmin.models.published_events import PublishedEvent


class WebhookEndpoint(VersionedModel):
    """Where events go, what it wants to hear, and the secrets that sign them."""

    url = models.URLField(_("address"), max_length=500)
    description = models.CharField(_("description"), max_length=200, blank=True)
    event_types = models.JSONField(
        _("events"), default=list, blank=True, help_text=_("Empty means all.")
    )
    secret = models.CharField(_("secret"), max_length=300, editable=False)
    # Signs beside the current one until it ends, so that receivers can change over.
    previous_secret = models.CharField(
        _("previous secret"), max_length=300, blank=True, editable=False
    )
    previous_secret_until = models.DateTimeField(
        _("previous secret until"), null=True, blank=True, editable=False
    )
    is_active = models.BooleanField(_("active"), default=True)
    disabled_reason = models.CharField(_("why it is off"), max_length=200, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Made it, gave it its address or its secret, or took it over."),
    )

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(OutboxModel):
    """An event on its way to one endpoint."""

    event = models.ForeignKey(
        PublishedEvent, models.CASCADE, verbose_name=_("event"), related_name="deliveries"
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, verbose_name=_("endpoint"), related_name="deliveries"
    )
    replay_of = models.ForeignKey(
        "self",
        models.SET_NULL,
        verbose_name=_("replay of"),
        null=True,
        blank=True,
        related_name="replays",
    )

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        permissions = [("replay_webhookdelivery", _("Can send a webhook message again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "endpoint"],
                condition=Q(replay_of__isnull=True),
                name="webhook_delivery_once",
            )
        ]
        indexes = [
            # what is due
            models.Index(
                fields=["next_attempt_at"],
                name="webhook_delivery_due",
                condition=Q(status="pending"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.endpoint_id}"


class WebhookAttempt(models.Model):
    """One try: what was answered, or why there was no answer."""

    delivery = models.ForeignKey(
        WebhookDelivery, models.CASCADE, verbose_name=_("delivery"), related_name="log"
    )
    number = models.PositiveIntegerField(_("number"))
    status_code = models.PositiveIntegerField(_("status code"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    response_excerpt = models.CharField(_("response excerpt"), max_length=500, blank=True)
    duration_ms = models.PositiveIntegerField(_("duration ms"), default=0)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once")
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.status_code or self.error}"
