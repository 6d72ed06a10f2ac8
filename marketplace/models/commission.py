"""Fees of the schedule, commission rules in their order, and their past versions."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.catalogue import Category, Product
from marketplace.models.fields import MAX_AMOUNT, PPM, validate_currency
from marketplace.querysets.commission import CommissionRuleQuerySet
from systemadmin.foundation.models import AppendOnlyModel, VersionedModel

AMOUNT = [MinValueValidator(0), MaxValueValidator(MAX_AMOUNT)]
RATE = [MaxValueValidator(PPM)]


class CommissionFee(VersionedModel):
    """One fee of the schedule: every order is charged by each active fee, in their order."""

    class Combine(models.TextChoices):
        FIRST = "first", _("the first rule that matches")
        SUM = "sum", _("the sum of all rules that match")

    class Payer(models.TextChoices):
        SELLER = "seller", _("Seller")
        BUYER = "buyer", _("Buyer, on top of the price")

    DEFAULT_CODE = "commission"

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    position = models.PositiveIntegerField(_("position"), default=1)
    combine = models.CharField(
        _("charged is"), max_length=5, choices=Combine.choices, default=Combine.FIRST
    )
    payer = models.CharField(
        _("paid by"), max_length=6, choices=Payer.choices, default=Payer.SELLER
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("fee")
        verbose_name_plural = _("fees")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class CommissionRule(VersionedModel):
    """One line of a fee's ordered list."""

    class Per(models.TextChoices):
        UNIT = "unit", _("per unit")
        LINE = "line", _("per order line")
        ORDER = "order", _("per order")
        PAYOUT = "payout", _("per payout")

    class TiersMode(models.TextChoices):
        MARGINAL = "marginal", _("each part at its own rate")
        WHOLE = "whole", _("the whole amount at one rate")

    class TiersBy(models.TextChoices):
        AMOUNT = "amount", _("the amount charged on")
        VOLUME = "volume", _("the volume of earlier sales")

    class Rounding(models.TextChoices):
        HALF_UP = "half_up", _("half up")
        HALF_EVEN = "half_even", _("half to even")
        DOWN = "down", _("down")
        UP = "up", _("up")

    class VolumeWindow(models.TextChoices):
        NONE = "", _("not looked at")
        MONTH = "month", _("this calendar month")
        QUARTER = "quarter", _("this quarter")
        YEAR = "year", _("this calendar year")
        DAYS_30 = "30d", _("the last 30 days")
        DAYS_365 = "365d", _("the last 365 days")
        LIFETIME = "lifetime", _("all time")

    class VolumeBetween(models.TextChoices):
        SELLER = "seller", _("all sales of the seller")
        PAIR = "pair", _("sales between seller and buyer")

    class VolumeMeasure(models.TextChoices):
        AMOUNT = "amount", _("their amount")
        ORDERS = "orders", _("their number")

    class OnRefund(models.TextChoices):
        PROPORTIONAL = "proportional", _("goes back in proportion")
        RECALCULATE = "recalculate", _("is charged anew on what was kept")
        FULL = "full", _("goes back only with a full refund")
        KEEP = "keep", _("is kept")

    fee = models.ForeignKey(
        CommissionFee, models.PROTECT, related_name="rules", verbose_name=_("fee")
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    name = models.CharField(_("name"), max_length=120)
    is_active = models.BooleanField(_("active"), default=True)

    applies_to_all = models.BooleanField(
        _("applies to everything"),
        default=False,
        help_text=_("A rule without conditions matches nothing unless this is set."),
    )
    categories = models.ManyToManyField(
        Category, blank=True, related_name="+", verbose_name=_("categories (with descendants)")
    )
    sellers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="+", verbose_name=_("sellers")
    )
    products = models.ManyToManyField(
        Product, blank=True, related_name="+", verbose_name=_("products")
    )
    kinds = models.JSONField(_("kinds"), default=list, blank=True)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        blank=True,
        validators=[validate_currency],
        help_text=_("Needed as soon as the rule names an amount."),
    )
    value_from = models.BigIntegerField(
        _("order value from"), null=True, blank=True, validators=AMOUNT
    )
    value_below = models.BigIntegerField(
        _("order value below"), null=True, blank=True, validators=AMOUNT
    )
    line_from = models.BigIntegerField(
        _("line amount from"), null=True, blank=True, validators=AMOUNT
    )
    line_below = models.BigIntegerField(
        _("line amount below"), null=True, blank=True, validators=AMOUNT
    )
    unit_from = models.BigIntegerField(
        _("unit price from"), null=True, blank=True, validators=AMOUNT
    )
    unit_below = models.BigIntegerField(
        _("unit price below"), null=True, blank=True, validators=AMOUNT
    )
    volume_window = models.CharField(
        _("volume of"), max_length=8, blank=True, choices=VolumeWindow.choices
    )
    volume_between = models.CharField(
        _("volume between"),
        max_length=6,
        choices=VolumeBetween.choices,
        default=VolumeBetween.SELLER,
    )
    volume_measure = models.CharField(
        _("volume counts"),
        max_length=6,
        choices=VolumeMeasure.choices,
        default=VolumeMeasure.AMOUNT,
    )
    volume_from = models.BigIntegerField(_("volume from"), null=True, blank=True, validators=AMOUNT)
    volume_below = models.BigIntegerField(
        _("volume below"), null=True, blank=True, validators=AMOUNT
    )
    countries = models.JSONField(
        _("seller's countries"), default=list, blank=True, help_text=_("Two letters each.")
    )
    buyer_countries = models.JSONField(
        _("buyer's countries"), default=list, blank=True, help_text=_("Two letters each.")
    )
    tax_statuses = models.JSONField(_("seller's tax statuses"), default=list, blank=True)
    levels = models.JSONField(_("seller's levels"), default=list, blank=True)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("valid until"), null=True, blank=True)

    per = models.CharField(
        _("charged"),
        max_length=6,
        choices=Per.choices,
        default=Per.LINE,
        help_text=_("Rate, tiers, minimum, maximum and rounding apply to each of these."),
    )
    ppm = models.PositiveIntegerField(
        _("rate (parts per million)"),
        default=0,
        validators=RATE,
        help_text=_("33300 is 3.33 %."),
    )
    tiers = models.JSONField(
        _("tiers"), default=list, blank=True, help_text=_("[[lower bound, rate], …]")
    )
    tiers_mode = models.CharField(
        _("tiers charge"), max_length=8, choices=TiersMode.choices, default=TiersMode.MARGINAL
    )
    tiers_by = models.CharField(
        _("tiers by"), max_length=6, choices=TiersBy.choices, default=TiersBy.AMOUNT
    )
    rounding = models.CharField(
        _("rounding"), max_length=9, choices=Rounding.choices, default=Rounding.HALF_UP
    )
    fixed = models.BigIntegerField(_("fixed amount"), default=0, validators=AMOUNT)
    fixed_per = models.CharField(
        _("fixed amount"), max_length=6, choices=Per.choices, default=Per.UNIT
    )
    minimum = models.BigIntegerField(_("minimum"), null=True, blank=True, validators=AMOUNT)
    maximum = models.BigIntegerField(_("maximum"), null=True, blank=True, validators=AMOUNT)
    tax_ppm = models.PositiveIntegerField(
        _("tax on the commission (parts per million)"), default=0, validators=RATE
    )
    tax_by_seller = models.BooleanField(
        _("tax by the seller's country and status"),
        default=False,
        help_text=_("Read from the taxes on fees instead of the rate above."),
    )
    include_item = models.BooleanField(_("charged on the price"), default=True)
    include_discount = models.BooleanField(
        _("charged on the seller's discount too"),
        default=False,
        help_text=_("The fee is then charged on the price before the seller's discount."),
    )
    include_platform_discount = models.BooleanField(
        _("charged on the platform's discount too"), default=True
    )
    include_shipping = models.BooleanField(_("charged on shipping too"), default=True)
    include_tax = models.BooleanField(_("charged on included tax too"), default=True)
    include_buyer_fees = models.BooleanField(
        _("charged on the buyer's earlier fees too"),
        default=False,
        help_text=_("Fees before this one that the buyer pays on top, with their taxes."),
    )
    on_refund = models.CharField(
        _("on a refund the fee"),
        max_length=12,
        choices=OnRefund.choices,
        default=OnRefund.PROPORTIONAL,
    )
    fixed_refundable = models.BooleanField(_("fixed amount goes back on refund"), default=True)
    refund_fee_ppm = models.PositiveIntegerField(
        _("kept on refund (parts per million of the commission)"), default=0, validators=RATE
    )
    refund_fee_maximum = models.BigIntegerField(
        _("kept on refund, at most"), null=True, blank=True, validators=AMOUNT
    )

    objects = CommissionRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("commission rule")
        verbose_name_plural = _("commission rules")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True)
                | Q(valid_to__isnull=True)
                | Q(valid_from__lt=F("valid_to")),
                name="mp_rule_dates_in_order",
                violation_error_message=_("The first day must be before the last."),
            ),
            models.CheckConstraint(
                condition=Q(value_from__isnull=True)
                | Q(value_below__isnull=True)
                | Q(value_from__lt=F("value_below")),
                name="mp_rule_values_in_order",
                violation_error_message=_("“From” must be lower than “below”."),
            ),
            models.CheckConstraint(
                condition=Q(minimum__isnull=True)
                | Q(maximum__isnull=True)
                | Q(minimum__lte=F("maximum")),
                name="mp_rule_minimum_below_maximum",
                violation_error_message=_("The minimum is higher than the maximum."),
            ),
            models.CheckConstraint(
                condition=~Q(currency="")
                | Q(
                    fixed=0,
                    minimum__isnull=True,
                    maximum__isnull=True,
                    value_from__isnull=True,
                    value_below__isnull=True,
                    line_from__isnull=True,
                    line_below__isnull=True,
                    unit_from__isnull=True,
                    unit_below__isnull=True,
                    refund_fee_maximum__isnull=True,
                ),
                name="mp_rule_amounts_need_currency",
                violation_error_message=_("A rule that names an amount must name its currency."),
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{what}_from__isnull": True})
                    | Q(**{f"{what}_below__isnull": True})
                    | Q(**{f"{what}_from__lt": F(f"{what}_below")}),
                    name=f"mp_rule_{what}s_in_order",
                    violation_error_message=_("“From” must be lower than “below”."),
                )
                for what in ("line", "unit", "volume")
            ),
            models.CheckConstraint(
                condition=~Q(volume_window="")
                | Q(volume_from__isnull=True, volume_below__isnull=True, tiers_by="amount"),
                name="mp_rule_volume_has_window",
                violation_error_message=_("Say over which period the volume is counted."),
            ),
            models.CheckConstraint(
                condition=Q(fixed=0)
                | Q(per="order", fixed_per__in=["order", "line", "unit"])
                | Q(per="payout", fixed_per="payout")
                | Q(per="line", fixed_per__in=["line", "unit"])
                | Q(per="unit", fixed_per="unit"),
                name="mp_rule_fixed_within_unit",
                violation_error_message=_(
                    "The fixed amount cannot count less often than the rule is charged."
                ),
            ),
            models.CheckConstraint(
                condition=Q(include_item=True) | Q(include_shipping=True),
                name="mp_rule_charged_on_something",
                violation_error_message=_("A rule is charged on the price, on shipping, or both."),
            ),
            models.CheckConstraint(
                condition=Q(ppm__lte=PPM, tax_ppm__lte=PPM, refund_fee_ppm__lte=PPM),
                name="mp_rule_rates_within_whole",
                violation_error_message=_("A rate lies between 0 and 1,000,000."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CommissionRuleVersion(AppendOnlyModel):
    """What a rule said at a version: the lines of past sales stay explained."""

    rule = models.ForeignKey(
        CommissionRule, models.CASCADE, verbose_name=_("rule"), related_name="versions"
    )
    number = models.PositiveIntegerField(_("number"))
    content = models.JSONField(_("content"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("changed by"),
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("version of a commission rule")
        verbose_name_plural = _("versions of commission rules")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="mp_rule_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.number}"
