"""Disputes about an order: their state, their hold, their conversation and evidence."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.orders import Order
from systemadmin.foundation.files import PrivateStorage
from systemadmin.foundation.models import AppendOnlyModel, VersionedModel


class Dispute(VersionedModel):
    """A disagreement that staff resolve; the seller's share is on hold meanwhile."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        RESOLVED_BUYER = "resolved_buyer", _("Resolved for the buyer")
        RESOLVED_SELLER = "resolved_seller", _("Resolved for the seller")

    class Reason(models.TextChoices):
        NOT_RECEIVED = "not_received", _("Not received")
        NOT_AS_DESCRIBED = "not_as_described", _("Not as described")
        DAMAGED = "damaged", _("Damaged")
        UNAUTHORISED = "unauthorised", _("Not bought by me")
        OTHER = "other", _("Other")

    class Source(models.TextChoices):
        MEMBER = "member", _("Buyer or seller")
        PAYMENT_SERVICE = "payment_service", _("Payment service (chargeback)")

    order = models.ForeignKey(
        Order, models.PROTECT, verbose_name=_("order"), related_name="disputes"
    )
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("opened by"),
        related_name="opened_disputes",
    )
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.OPEN
    )
    # Moved from the seller's payable to held; 0 while the money is still in buyers' funds.
    held_amount = models.BigIntegerField(_("held"), default=0)
    source = models.CharField(
        _("opened by way of"), max_length=20, choices=Source.choices, default=Source.MEMBER
    )
    # Of a chargeback: its id and reason at the payment service, what the service took back and
    # what it asks for it, and until when the bank hears the platform.
    external_reference = models.CharField(_("chargeback"), max_length=120, blank=True)
    network_reason = models.CharField(_("bank's reason"), max_length=120, blank=True)
    charged_back = models.BigIntegerField(_("charged back"), default=0)
    fee = models.BigIntegerField(_("fee"), default=0)
    evidence_due_at = models.DateTimeField(_("evidence until"), null=True, blank=True)
    appealed_at = models.DateTimeField(_("appealed at"), null=True, blank=True)
    refund_amount = models.BigIntegerField(_("refunded"), default=0)
    resolution_note = models.CharField(_("note"), max_length=2000, blank=True)
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("resolved by"),
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        permissions = [
            ("resolve_dispute", _("Can answer and resolve disputes")),
            ("appeal_dispute", _("Can open a decided dispute again")),
            ("record_chargeback", _("Can record chargebacks")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["external_reference"],
                condition=~Q(external_reference=""),
                name="mp_dispute_chargeback_once",
                violation_error_message=_("This chargeback belongs to another order."),
            ),
            models.CheckConstraint(
                condition=Q(charged_back__gte=0, fee__gte=0),
                name="mp_dispute_amounts_not_negative",
                violation_error_message=_("Amounts are not negative."),
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(status="open"),
                name="mp_dispute_one_open",
                violation_error_message=_("The order has an open dispute already."),
            ),
            models.CheckConstraint(
                condition=Q(status="open") | Q(resolved_at__isnull=False),
                name="mp_dispute_resolved_has_moment",
                violation_error_message=_("A resolved dispute has a moment of resolution."),
            ),
        ]
        indexes = [
            # the list of open disputes
            models.Index(fields=["status", "-id"], name="mp_dispute_status"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class DisputeMessage(AppendOnlyModel):
    """One message or piece of evidence in a dispute."""

    dispute = models.ForeignKey(
        Dispute, models.PROTECT, verbose_name=_("dispute"), related_name="messages"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("author"), related_name="+"
    )
    body = models.TextField(_("message"), max_length=10_000, blank=True)
    # Notes are for staff only.
    is_internal = models.BooleanField(_("internal"), default=False)
    evidence = models.FileField(
        _("evidence"), storage=PrivateStorage, upload_to="disputes/%Y/%m", blank=True
    )
    evidence_name = models.CharField(_("evidence name"), max_length=140, blank=True)
    evidence_type = models.CharField(_("evidence type"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("dispute message")
        verbose_name_plural = _("dispute messages")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.body[:60]
