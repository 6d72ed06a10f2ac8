"""The fees of the schedule, the tax on them, and what each order line was charged for each."""

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.commission import CommissionFee, CommissionRule
from marketplace.models.fields import PPM
from marketplace.models.sellers import SellerProfile
from systemadmin.foundation.models import VersionedModel

TaxStatus = SellerProfile.TaxStatus


class FeeTaxRate(VersionedModel):
    """The tax on fees for sellers of a country and tax status; empty fields mean "any".

    The row that says the most about a seller decides: country and status, then country, then
    status, then neither.
    """

    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"\A[A-Z]{2}\Z", _("A country is two capital letters."))],
        help_text=_("Two letters, as in ES. Empty means any country."),
    )
    tax_status = models.CharField(
        _("tax status"), max_length=10, blank=True, choices=TaxStatus.choices
    )
    ppm = models.PositiveIntegerField(
        _("rate (parts per million)"), default=0, validators=[MaxValueValidator(PPM)]
    )
    is_reverse_charge = models.BooleanField(
        _("reverse charge"),
        default=False,
        help_text=_("The seller accounts for the tax, so the platform charges none."),
    )

    class Meta:
        verbose_name = _("tax on fees")
        verbose_name_plural = _("taxes on fees")
        ordering = ["country", "tax_status"]
        constraints = [
            models.UniqueConstraint(
                fields=["country", "tax_status"],
                name="mp_fee_tax_once",
                violation_error_message=_("There is a rate for this country and status already."),
            ),
            models.CheckConstraint(
                condition=Q(ppm__lte=PPM) & (Q(is_reverse_charge=False) | Q(ppm=0)),
                name="mp_fee_tax_rate_or_reverse_charge",
                violation_error_message=_("A reverse charge has no rate."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.country or '*'} {self.tax_status or '*'}"


class CommissionCharge(models.Model):
    """One fee on one order line, frozen when it was ordered, and how much of it went back.

    Charges of one order with the same `group` were calculated together. `terms` holds what the
    rule said, so that a refund is calculated by the rule of that day.
    """

    line = models.ForeignKey("marketplace.OrderLine", models.PROTECT, related_name="charges")
    group = models.PositiveIntegerField()
    fee = models.ForeignKey(
        CommissionFee, models.PROTECT, null=True, blank=True, related_name="charges"
    )
    fee_name = models.CharField(_("fee"), max_length=120)
    payer = models.CharField(_("paid by"), max_length=6, choices=CommissionFee.Payer.choices)
    rule = models.ForeignKey(
        CommissionRule, models.PROTECT, null=True, blank=True, related_name="charges"
    )
    rule_version = models.PositiveIntegerField(null=True, blank=True)
    base = models.BigIntegerField(_("base"))
    base_shipping = models.BigIntegerField(default=0)
    amount = models.BigIntegerField(_("amount"))
    tax = models.BigIntegerField(_("tax"), default=0)
    refundable = models.BigIntegerField(default=0)
    volume = models.BigIntegerField(default=0)
    terms = models.JSONField(default=dict)
    reversed_amount = models.BigIntegerField(_("given back"), default=0)
    reversed_tax = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("fee of an order line")
        verbose_name_plural = _("fees of order lines")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    amount__gte=0,
                    tax__gte=0,
                    refundable__gte=0,
                    refundable__lte=F("amount"),
                    reversed_amount__gte=0,
                    reversed_amount__lte=F("amount"),
                    reversed_tax__gte=0,
                    reversed_tax__lte=F("tax"),
                ),
                name="mp_charge_reversal_within_amount",
                violation_error_message=_("No more of a fee goes back than was charged."),
            ),
            models.CheckConstraint(
                condition=Q(base_shipping__gte=0, base_shipping__lte=F("base"))
                & (Q(payer="buyer") | Q(amount__lte=F("base"))),
                name="mp_charge_within_base",
                violation_error_message=_("A commission lies between nothing and its base."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line_id}: {self.fee_name} {self.amount}"
