"""Commission rules in their order, their past versions, and the frozen line of each sale."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.catalogue import Category, Product
from marketplace.models.fields import MAX_AMOUNT, PPM, validate_currency
from marketplace.querysets.commission import CommissionLineQuerySet, CommissionRuleQuerySet
from systemadmin.foundation.models import AppendOnlyModel, VersionedModel

AMOUNT = [MinValueValidator(0), MaxValueValidator(MAX_AMOUNT)]
RATE = [MaxValueValidator(PPM)]


class CommissionRule(VersionedModel):
    """One line of the ordered list: the first active rule that matches decides."""

    class FixedPer(models.TextChoices):
        UNIT = "unit", _("per unit")
        LINE = "line", _("per order line")

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
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("valid until"), null=True, blank=True)

    ppm = models.PositiveIntegerField(
        _("rate (parts per million)"),
        default=0,
        validators=RATE,
        help_text=_("33300 is 3.33 %."),
    )
    tiers = models.JSONField(
        _("marginal tiers"),
        default=list,
        blank=True,
        help_text=_("[[lower bound, rate], …]: each part is charged at its own tier's rate."),
    )
    fixed = models.BigIntegerField(_("fixed amount"), default=0, validators=AMOUNT)
    fixed_per = models.CharField(
        _("fixed amount"), max_length=4, choices=FixedPer.choices, default=FixedPer.UNIT
    )
    minimum = models.BigIntegerField(_("minimum"), null=True, blank=True, validators=AMOUNT)
    maximum = models.BigIntegerField(_("maximum"), null=True, blank=True, validators=AMOUNT)
    tax_ppm = models.PositiveIntegerField(
        _("tax on the commission (parts per million)"), default=0, validators=RATE
    )
    include_shipping = models.BooleanField(_("charged on shipping too"), default=True)
    include_tax = models.BooleanField(_("charged on included tax too"), default=True)
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
                    refund_fee_maximum__isnull=True,
                ),
                name="mp_rule_amounts_need_currency",
                violation_error_message=_("A rule that names an amount must name its currency."),
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

    rule = models.ForeignKey(CommissionRule, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("version of a commission rule")
        verbose_name_plural = _("versions of commission rules")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="mp_rule_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.number}"


class CommissionLine(AppendOnlyModel):
    """The commission of one order line, frozen when it was ordered: inputs, trace, amounts."""

    line = models.OneToOneField("marketplace.OrderLine", models.PROTECT, related_name="commission")
    rule = models.ForeignKey(
        CommissionRule, models.PROTECT, null=True, blank=True, related_name="lines"
    )
    rule_version = models.PositiveIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    base = models.BigIntegerField()
    captured = models.BigIntegerField()
    amount = models.BigIntegerField(_("commission"))
    tax = models.BigIntegerField(_("tax"))
    seller_net = models.BigIntegerField(_("seller's net"))
    refundable = models.BigIntegerField()
    refund_fee_ppm = models.PositiveIntegerField(default=0)
    refund_fee_maximum = models.BigIntegerField(null=True, blank=True)
    trace = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CommissionLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("commission line")
        verbose_name_plural = _("commission lines")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0, amount__lte=F("base"), base__lte=F("captured")),
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
        return f"{self.line_id}: {self.amount} {self.currency}"
