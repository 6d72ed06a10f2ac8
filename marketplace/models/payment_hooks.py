"""What payment services send: where it comes in, and each event until the books have it."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.models.orders import Order
from systemadmin.foundation.models import TimestampedModel, VersionedModel


class PaymentHook(VersionedModel):
    """A service that tells of payments at `/api/hooks/<name>`, and how it signs and speaks."""

    class Scheme(models.TextChoices):
        STRIPE = "stripe", _("Stripe")
        HMAC = "hmac", _("Any service, by a mapping")

    name = models.CharField(
        _("name"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*\Z", _("Small letters, digits, -."))],
        help_text=_("The address is /api/hooks/ and this name."),
    )
    scheme = models.CharField(
        _("scheme"), max_length=10, choices=Scheme.choices, default=Scheme.STRIPE
    )
    mapping = models.JSONField(
        _("mapping"),
        default=dict,
        blank=True,
        help_text=_("How a service other than Stripe signs and speaks; see docs/payments.md."),
    )
    secret = models.CharField(_("secret"), max_length=500, editable=False)
    # Is good beside the current one until it ends, so that the service can change over.
    previous_secret = models.CharField(
        _("previous secret"), max_length=500, blank=True, editable=False
    )
    previous_secret_until = models.DateTimeField(
        _("previous secret until"), null=True, blank=True, editable=False
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("payment hook")
        verbose_name_plural = _("payment hooks")

    def __str__(self) -> str:
        return self.name


class PaymentEvent(TimestampedModel):
    """One event of a payment service, kept when it arrives and worked through afterwards."""

    # Names and addresses are left out; mentions in texts are masked for some.
    personal_texts = ("body", "error")

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        WAITING = "waiting", _("Waits for what it is about")
        DONE = "done", _("Done")
        IGNORED = "ignored", _("Not for the books")
        FAILED = "failed", _("Failed")

    hook = models.ForeignKey(
        PaymentHook, models.PROTECT, verbose_name=_("hook"), related_name="events"
    )
    event_id = models.CharField(_("event id"), max_length=200)
    kind = models.CharField(_("kind"), max_length=100)
    body = models.JSONField(_("body"), default=dict)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    reference = models.CharField(_("payment reference"), max_length=120, blank=True)
    order = models.ForeignKey(
        Order,
        models.PROTECT,
        verbose_name=_("order"),
        null=True,
        blank=True,
        related_name="payment_events",
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    error = models.CharField(_("error"), max_length=500, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    class Meta:
        verbose_name = _("payment event")
        verbose_name_plural = _("payment events")
        permissions = [("retry_paymentevent", _("Can try a payment event again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["hook", "event_id"],
                name="mp_payment_event_once",
                violation_error_message=_("This event is known."),
            )
        ]
        indexes = [
            # what is to be worked through
            models.Index(
                fields=["next_attempt_at"],
                name="mp_payment_event_due",
                condition=Q(status__in=["pending", "waiting"]),
            ),
            # the staff's list
            models.Index(fields=["status", "-id"], name="mp_payment_event_status"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
