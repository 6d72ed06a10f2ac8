"""The outbox towards the platform: endpoints, messages, deliveries and every attempt."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel
from systemadmin.foundation.outbox import OutboxModel


class WebhookEndpoint(VersionedModel):
    """Where messages go, what it wants to hear, and the secrets that sign them."""

    url = models.URLField(_("address"), max_length=500)
    description = models.CharField(_("description"), max_length=200, blank=True)
    event_types = models.JSONField(
        _("events"), default=list, blank=True, help_text=_("Empty means all.")
    )
    secret = models.CharField(max_length=300, editable=False)
    # Signs beside the current one until it ends, so that receivers can change over.
    previous_secret = models.CharField(max_length=300, blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    disabled_reason = models.CharField(_("why it is off"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")

    def __str__(self) -> str:
        return self.url


class WebhookMessage(models.Model):
    """Something that happened, written in the transaction in which it happened."""

    message_id = models.CharField(max_length=40, unique=True)
    event_type = models.CharField(_("event"), max_length=60)
    # Once per thing that happened, however often a task is repeated.
    key = models.CharField(max_length=120, unique=True)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")

    def __str__(self) -> str:
        return f"{self.event_type} {self.message_id}"


class WebhookDelivery(OutboxModel):
    """A message on its way to one endpoint."""

    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    replay_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replays"
    )

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        permissions = [("replay_webhookdelivery", _("Can send a webhook message again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["message", "endpoint"],
                condition=Q(replay_of__isnull=True),
                name="mp_delivery_once",
            )
        ]
        indexes = [
            # what is due
            models.Index(
                fields=["next_attempt_at"],
                name="mp_delivery_due",
                condition=Q(status="pending"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id} → {self.endpoint_id}"


class WebhookAttempt(models.Model):
    """One try: what was answered, or why there was no answer."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    status_code = models.PositiveIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    response_excerpt = models.CharField(max_length=500, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="mp_attempt_once")
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.status_code or self.error}"
