"""Payouts to sellers, and the ledger entries each of them pays."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.batches import PayoutBatch
from marketplace.models.commission import CommissionFee, CommissionRule
from marketplace.models.fees import CHARGE_WITHIN_AMOUNT, Charge
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

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("seller"), related_name="payouts"
    )
    currency = models.CharField(_("currency"), max_length=3)
    # What the seller receives: what is claimed, less the fees per payout with their taxes.
    amount = models.BigIntegerField(_("amount"))
    fee = models.BigIntegerField(_("fee"), default=0)
    fee_tax = models.BigIntegerField(_("tax on the fee"), default=0)
    fee_trace = models.JSONField(_("why"), default=list, blank=True, editable=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    failure_reason = models.CharField(_("reason of failure"), max_length=500, blank=True)
    batch = models.ForeignKey(
        PayoutBatch,
        models.PROTECT,
        verbose_name=_("batch"),
        null=True,
        blank=True,
        related_name="payouts",
    )
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        related_name="+",
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
                condition=Q(fee__gte=0, fee_tax__gte=0),
                name="mp_payout_fee_not_negative",
                violation_error_message=_("A fee is not negative."),
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
    def gross(self) -> int:
        """What was taken from the seller's balance: the amount with the fees."""
        return self.amount + self.fee + self.fee_tax

    @property
    def bank_reference(self) -> str:
        """What files for the bank call it; of one length, so that none begins like another."""
        return f"PAYOUT-{self.pk:09d}"


class PayoutItem(models.Model):
    """A claim: an entry is paid by one payout only."""

    payout = models.ForeignKey(
        Payout, models.PROTECT, verbose_name=_("payout"), related_name="items"
    )
    entry = models.OneToOneField(
        LedgerEntry, models.PROTECT, verbose_name=_("entry"), related_name="payout_item"
    )

    class Meta:
        verbose_name = _("payout item")
        verbose_name_plural = _("payout items")

    def __str__(self) -> str:
        return f"{self.payout_id}/{self.entry_id}"


class PayoutCharge(Charge):
    """One fee of a payout by one rule, frozen when the payout was made, and how much went back."""

    payout = models.ForeignKey(
        Payout, models.PROTECT, verbose_name=_("payout"), related_name="charges"
    )
    fee = models.ForeignKey(
        CommissionFee, models.PROTECT, verbose_name=_("fee"), related_name="payout_charges"
    )
    rule = models.ForeignKey(
        CommissionRule, models.PROTECT, verbose_name=_("rule"), related_name="payout_charges"
    )
    rule_version = models.PositiveIntegerField(_("rule version"))

    class Meta:
        verbose_name = _("fee of a payout")
        verbose_name_plural = _("fees of payouts")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__lte=F("base"), **CHARGE_WITHIN_AMOUNT),
                name="mp_payout_charge_within_amount",
                violation_error_message=_("No more of a fee goes back than was charged."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.payout_id}: {self.fee_name} {self.amount}"
