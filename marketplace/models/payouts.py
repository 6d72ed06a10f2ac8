"""Payouts to sellers, and the ledger entries each of them pays."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.batches import PayoutBatch
from marketplace.models.ledger import LedgerEntry
from systemadmin.foundation.models import VersionedModel


class Payout(VersionedModel):
    """What a seller is paid in one go; retried as the same payout when it fails."""

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("Failed")
        RETURNED = "returned", _("Returned by the bank")
        CANCELLED = "cancelled", _("Cancelled")

    seller = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="payouts")
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    failure_reason = models.CharField(_("reason of failure"), max_length=500, blank=True)
    batch = models.ForeignKey(
        PayoutBatch, models.PROTECT, null=True, blank=True, related_name="payouts"
    )
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=1),
                name="mp_payout_positive",
                violation_error_message=_("A payout is positive."),
            ),
            models.CheckConstraint(
                condition=~Q(status="paid") | Q(paid_at__isnull=False),
                name="mp_payout_paid_has_moment",
                violation_error_message=_("A paid payout has a moment of payment."),
            ),
            models.UniqueConstraint(
                fields=["seller", "currency"],
                condition=Q(status__in=["pending", "failed"]),
                name="mp_payout_one_open",
                violation_error_message=_("The seller has an open payout in this currency."),
            ),
        ]
        indexes = [
            # the staff list by status, newest first
            models.Index(fields=["status", "-id"], name="mp_payout_status"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def bank_reference(self) -> str:
        """What files for the bank call it; of one length, so that none begins like another."""
        return f"PAYOUT-{self.pk:09d}"


class PayoutItem(models.Model):
    """A claim: an entry is paid by one payout only."""

    payout = models.ForeignKey(Payout, models.PROTECT, related_name="items")
    entry = models.OneToOneField(LedgerEntry, models.PROTECT, related_name="payout_item")

    class Meta:
        verbose_name = _("payout item")
        verbose_name_plural = _("payout items")

    def __str__(self) -> str:
        return f"{self.payout_id}/{self.entry_id}"
