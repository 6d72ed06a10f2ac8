"""Orders, their lines, and refunds."""

from fractions import Fraction

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.catalogue import Category, Product
from marketplace.querysets.orders import OrderQuerySet
from systemadmin.foundation.models import AppendOnlyModel, VersionedModel


class Order(VersionedModel):
    """A buyer's purchase from one seller, in one currency."""

    class Status(models.TextChoices):
        RESERVED = "reserved", _("Reserved")
        PAID = "paid", _("Paid")
        COMPLETED = "completed", _("Completed")
        DISPUTED = "disputed", _("Disputed")
        REFUNDED = "refunded", _("Refunded")
        CANCELLED = "cancelled", _("Cancelled")
        EXPIRED = "expired", _("Expired")

    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("buyer"), related_name="purchases"
    )
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("seller"), related_name="sales"
    )
    # The platform's own number of an order that it took itself.
    external_id = models.CharField(
        _("external id"), max_length=128, null=True, blank=True, unique=True
    )
    currency = models.CharField(_("currency"), max_length=3)
    total = models.BigIntegerField(_("total"), validators=[MinValueValidator(1)])
    commission = models.BigIntegerField(_("commission"), default=0)
    tax = models.BigIntegerField(_("tax on the commission"), default=0)
    # Sums of the lines. The seller gives its own discount away; the platform pays its own, so the
    # seller is credited `total - buyer_fee + platform_discount`.
    discount = models.BigIntegerField(_("discount by the seller"), default=0)
    platform_discount = models.BigIntegerField(_("discount by the platform"), default=0)
    refunded_platform_discount = models.BigIntegerField(_("refunded platform discount"), default=0)
    tax_included = models.BigIntegerField(_("sales tax included"), default=0)
    processing_fee = models.BigIntegerField(
        _("payment processor's fee"), default=0, validators=[MinValueValidator(0)]
    )
    refunded = models.BigIntegerField(_("refunded"), default=0)
    refunded_commission = models.BigIntegerField(_("refunded commission"), default=0)
    refunded_tax = models.BigIntegerField(_("refunded tax"), default=0)
    # What the buyer pays on top for fees, taxes on them included; it is part of the total.
    buyer_fee = models.BigIntegerField(_("buyer's fees"), default=0)
    refunded_buyer_fee = models.BigIntegerField(_("refunded buyer fee"), default=0)
    # The part of them that no refund gives back.
    kept_buyer_fee = models.BigIntegerField(_("buyer's fees that are kept"), default=0)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.RESERVED
    )
    # The facts the platform sent of an order that it took: sent again they must be the same.
    imported = models.JSONField(_("imported"), null=True, blank=True, editable=False)
    reserved_until = models.DateTimeField(_("reserved until"))
    payment_reference = models.CharField(_("payment reference"), max_length=120, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    cancel_reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions = [
            ("import_order", _("Can import orders that happened elsewhere")),
            ("pay_order", _("Can record a payment")),
            ("complete_order", _("Can complete an order")),
            ("refund_order", _("Can refund an order")),
            ("view_reports", _("Can read marketplace reports")),
        ]
        indexes = [
            # the buyer's and the seller's own lists, newest first
            models.Index(fields=["buyer", "-id"], name="mp_order_buyer"),
            models.Index(fields=["seller", "-id"], name="mp_order_seller"),
            # the staff list by status, newest first
            models.Index(fields=["status", "-id"], name="mp_order_status"),
            # reservations to expire
            models.Index(
                fields=["reserved_until"],
                name="mp_order_expiry",
                condition=Q(status="reserved"),
            ),
            # sales reports by day of payment
            models.Index(
                fields=["paid_at"], name="mp_order_paid", condition=Q(paid_at__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["payment_reference"],
                condition=~Q(payment_reference=""),
                name="mp_order_payment_reference_once",
                violation_error_message=_("This payment reference belongs to another order."),
            ),
            models.CheckConstraint(
                condition=~Q(buyer=F("seller")),
                name="mp_order_not_from_oneself",
                violation_error_message=_("Nobody buys from themselves."),
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("total")),
                name="mp_order_refund_within_total",
                violation_error_message=_("More cannot be refunded than was paid."),
            ),
            models.CheckConstraint(
                condition=Q(total__gte=1, commission__gte=0, tax__gte=0, processing_fee__gte=0),
                name="mp_order_amounts_not_negative",
                violation_error_message=_("Amounts are not negative."),
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["paid", "completed", "disputed", "refunded"])
                | Q(paid_at__isnull=False),
                name="mp_order_paid_has_moment",
                violation_error_message=_("A paid order has a moment of payment."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_recognised(self) -> bool:
        """Whether the money has left the buyers' funds for the seller and the platform."""
        return self.completed_at is not None

    @property
    def outstanding(self) -> int:
        """What the buyer paid and has not got back."""
        return self.total - self.refunded

    @property
    def refundable(self) -> int:
        """What can still be refunded: without the buyer's fees that are kept."""
        return max(0, self.outstanding - self.kept_buyer_fee)

    @property
    def captured(self) -> int:
        """What the seller is credited before fees: without the buyer's fees, whoever discounts."""
        return self.total - self.buyer_fee + self.platform_discount

    @property
    def sold(self) -> int:
        """What is left of `captured` after refunds."""
        given_back = self.refunded - self.refunded_buyer_fee + self.refunded_platform_discount
        return self.captured - given_back


class OrderLine(models.Model):
    """One product in an order, as it was when it was bought."""

    order = models.ForeignKey(Order, models.PROTECT, verbose_name=_("order"), related_name="lines")
    product = models.ForeignKey(
        Product, models.PROTECT, verbose_name=_("product"), related_name="order_lines"
    )
    category = models.ForeignKey(
        Category, models.PROTECT, verbose_name=_("category"), related_name="+"
    )
    kind = models.CharField(_("kind"), max_length=10)
    title = models.CharField(_("title"), max_length=200)
    quantity = models.PositiveIntegerField(_("quantity"), validators=[MinValueValidator(1)])
    unit_price = models.BigIntegerField(_("unit price"))
    shipping = models.BigIntegerField(_("shipping"), default=0)
    # What the seller gives away on this line, and what the platform pays of its price.
    discount = models.BigIntegerField(_("discount"), default=0)
    platform_discount = models.BigIntegerField(_("platform discount"), default=0)
    # The part of price and shipping that is sales tax.
    tax_included = models.BigIntegerField(_("tax included"), default=0)
    buyer_fee = models.BigIntegerField(_("buyer fee"), default=0)
    buyer_fee_tax = models.BigIntegerField(_("buyer fee tax"), default=0)
    kept_buyer_fee = models.BigIntegerField(_("buyer fee that is kept"), default=0)
    total = models.BigIntegerField(_("total"))
    # Whether units were taken from stock, so that giving them back is exact.
    has_stock = models.BooleanField(_("has stock"), default=False)
    refunded = models.BigIntegerField(_("refunded"), default=0)
    refunded_commission = models.BigIntegerField(_("refunded commission"), default=0)
    refunded_tax = models.BigIntegerField(_("refunded tax"), default=0)
    refunded_shipping = models.BigIntegerField(_("refunded shipping"), default=0)
    refunded_platform_discount = models.BigIntegerField(_("refunded platform discount"), default=0)
    refunded_buyer_fee = models.BigIntegerField(_("refunded buyer fee"), default=0)
    refunded_buyer_fee_tax = models.BigIntegerField(_("refunded buyer fee tax"), default=0)
    refunded_quantity = models.PositiveIntegerField(_("refunded quantity"), default=0)
    restocked_quantity = models.PositiveIntegerField(_("restocked quantity"), default=0)

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="mp_line_product_once"),
            models.CheckConstraint(
                condition=Q(
                    total=F("unit_price") * F("quantity")
                    - F("discount")
                    - F("platform_discount")
                    + F("shipping")
                    + F("buyer_fee")
                ),
                name="mp_line_total_adds_up",
                violation_error_message=_(
                    "A line's total is price × quantity - discounts + shipping + the buyer's fees."
                ),
            ),
            models.CheckConstraint(
                condition=Q(
                    discount__gte=0,
                    platform_discount__gte=0,
                    discount__lte=F("unit_price") * F("quantity") - F("platform_discount"),
                    tax_included__gte=0,
                    tax_included__lte=F("total") + F("platform_discount"),
                    buyer_fee_tax__gte=0,
                    buyer_fee_tax__lte=F("buyer_fee"),
                ),
                name="mp_line_parts_within_total",
                violation_error_message=_("Discount, tax and fees lie within the line's total."),
            ),
            models.CheckConstraint(
                condition=Q(
                    refunded_shipping__gte=0,
                    refunded_shipping__lte=F("shipping"),
                    refunded_platform_discount__gte=0,
                    refunded_platform_discount__lte=F("platform_discount"),
                    refunded_buyer_fee__gte=0,
                    refunded_buyer_fee__lte=F("buyer_fee"),
                    refunded_quantity__lte=F("quantity"),
                    restocked_quantity__lte=F("refunded_quantity"),
                ),
                name="mp_line_refunded_parts_within_line",
                violation_error_message=_("No more of a part is refunded than there was."),
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("total")),
                name="mp_line_refund_within_total",
                violation_error_message=_("More cannot be refunded than was paid."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def captured(self) -> int:
        """What the seller is credited before fees: price less the own discount, and shipping."""
        return self.total - self.buyer_fee + self.platform_discount

    @property
    def item(self) -> int:
        """What the buyer pays for the goods alone."""
        return self.total - self.buyer_fee - self.shipping

    @property
    def refunded_item(self) -> int:
        """What was given back of the goods' price."""
        return self.refunded - self.refunded_shipping - self.refunded_buyer_fee

    @property
    def is_returned(self) -> bool:
        """Whether all of the goods and of the shipping was given back, fees aside."""
        if self.item or self.shipping:
            return self.refunded_item + self.refunded_shipping == self.item + self.shipping
        return self.refunded_quantity == self.quantity

    @property
    def part_returned(self) -> Fraction:
        """The part of the goods that was given back: by their price, by units where it is zero."""
        if self.item:
            return Fraction(self.refunded_item, self.item)
        return Fraction(self.refunded_quantity, self.quantity)


class Refund(AppendOnlyModel):
    """Money given back to a buyer, in part or in full."""

    order = models.ForeignKey(
        Order, models.PROTECT, verbose_name=_("order"), related_name="refunds"
    )
    number = models.PositiveIntegerField(_("number"))
    amount = models.BigIntegerField(_("amount"))
    commission = models.BigIntegerField(_("commission reversed"))
    tax = models.BigIntegerField(_("tax reversed"))
    shipping = models.BigIntegerField(_("of which shipping"), default=0)
    # What the platform gets back of its discount, beside the amount.
    platform_discount = models.BigIntegerField(_("platform's discount returned"), default=0)
    buyer_fee = models.BigIntegerField(_("of which the buyer's fees"), default=0)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="mp_refund_number_once"),
            models.CheckConstraint(
                condition=Q(amount__gte=1),
                name="mp_refund_positive",
                violation_error_message=_("A refund is positive."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.order_id}.{self.number}"


class RefundLine(AppendOnlyModel):
    """A refund's share of one order line, with what it reverses."""

    refund = models.ForeignKey(
        Refund, models.PROTECT, verbose_name=_("refund"), related_name="lines"
    )
    line = models.ForeignKey(
        OrderLine, models.PROTECT, verbose_name=_("line"), related_name="refund_lines"
    )
    amount = models.BigIntegerField(_("amount"))
    commission = models.BigIntegerField(_("commission"))
    tax = models.BigIntegerField(_("tax"))
    shipping = models.BigIntegerField(_("shipping"), default=0)
    platform_discount = models.BigIntegerField(_("platform discount"), default=0)
    buyer_fee = models.BigIntegerField(_("buyer fee"), default=0)
    buyer_fee_tax = models.BigIntegerField(_("buyer fee tax"), default=0)
    quantity = models.PositiveIntegerField(_("quantity"), default=0)
    restocked = models.PositiveIntegerField(_("restocked"), default=0)

    class Meta:
        verbose_name = _("refund line")
        verbose_name_plural = _("refund lines")

    def __str__(self) -> str:
        return f"{self.refund_id}/{self.line_id}"
