"""The tax on fees, and what each order line was charged for commission and for each fee."""

from typing import Any, Final

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.commission import CommissionFee, CommissionRule
from marketplace.models.fields import PPM
from marketplace.models.sellers import SellerProfile
from marketplace.querysets.commission import CommissionLineQuerySet
from systemadmin.foundation.models import AppendOnlyModel, VersionedModel
from systemadmin.foundation.money import format_money

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


class CommissionLine(AppendOnlyModel):
    """The commission of one order line, frozen when it was ordered: inputs, trace, amounts."""

    line = models.OneToOneField(
        "marketplace.OrderLine", models.PROTECT, verbose_name=_("line"), related_name="commission"
    )
    rule = models.ForeignKey(
        CommissionRule,
        models.PROTECT,
        verbose_name=_("rule"),
        null=True,
        blank=True,
        related_name="lines",
    )
    rule_version = models.PositiveIntegerField(_("rule version"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    base = models.BigIntegerField(_("base"))
    captured = models.BigIntegerField(_("captured"))
    amount = models.BigIntegerField(_("commission"))
    tax = models.BigIntegerField(_("tax"))
    seller_net = models.BigIntegerField(_("seller's net"))
    refundable = models.BigIntegerField(_("refundable"))
    trace = models.JSONField(_("trace"), default=list)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = CommissionLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("commission line")
        verbose_name_plural = _("commission lines")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0, amount__lte=F("base")) & Q(amount__lte=F("captured")),
                name="mp_line_commission_within_base",
                violation_error_message=_("A commission lies between nothing and its base."),
            ),
            models.CheckConstraint(
                condition=Q(captured=F("amount") + F("tax") + F("seller_net")),
                name="mp_line_adds_up",
                violation_error_message=_("Commission, tax and net must add up."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line_id}: {format_money(self.amount, self.currency)}"


class Charge(models.Model):
    """One fee that was charged: its amounts, frozen on that day, and how much of them went back.

    `terms` holds what the rule said, so that a refund is calculated by the rule of that day.
    """

    fee_name = models.CharField(_("fee"), max_length=120)
    base = models.BigIntegerField(_("base"))
    amount = models.BigIntegerField(_("amount"))
    tax = models.BigIntegerField(_("tax"), default=0)
    refundable = models.BigIntegerField(_("refundable"), default=0)
    terms = models.JSONField(_("terms"), default=dict)
    reversed_amount = models.BigIntegerField(_("given back"), default=0)
    reversed_tax = models.BigIntegerField(_("reversed tax"), default=0)

    class Meta:
        abstract = True


# The conditions that hold for the amounts of every charge. Part of a constraint's `Q`, so that the
# constraint of each table stays one flat condition, as its migration wrote it.
CHARGE_WITHIN_AMOUNT: Final[dict[str, Any]] = {
    "amount__gte": 0,
    "tax__gte": 0,
    "refundable__gte": 0,
    "refundable__lte": F("amount"),
    "reversed_amount__gte": 0,
    "reversed_amount__lte": F("amount"),
    "reversed_tax__gte": 0,
    "reversed_tax__lte": F("tax"),
}


class CommissionCharge(Charge):
    """One fee on one order line, frozen when it was ordered, and how much of it went back.

    Charges of one order with the same `group` were calculated together.
    """

    line = models.ForeignKey(
        "marketplace.OrderLine", models.PROTECT, verbose_name=_("line"), related_name="charges"
    )
    group = models.PositiveIntegerField(_("group"))
    fee = models.ForeignKey(
        CommissionFee,
        models.PROTECT,
        verbose_name=_("fee"),
        null=True,
        blank=True,
        related_name="charges",
    )
    payer = models.CharField(_("paid by"), max_length=6, choices=CommissionFee.Payer.choices)
    rule = models.ForeignKey(
        CommissionRule,
        models.PROTECT,
        verbose_name=_("rule"),
        null=True,
        blank=True,
        related_name="charges",
    )
    rule_version = models.PositiveIntegerField(_("rule version"), null=True, blank=True)
    base_shipping = models.BigIntegerField(_("base shipping"), default=0)
    volume = models.BigIntegerField(_("volume"), default=0)

    class Meta:
        verbose_name = _("fee of an order line")
        verbose_name_plural = _("fees of order lines")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(**CHARGE_WITHIN_AMOUNT),
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
