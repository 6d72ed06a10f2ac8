"""Monthly statements of sellers, and the invoices for their commission."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import AppendOnlyModel


class SellerStatement(AppendOnlyModel):
    """What happened to a seller's balance in a closed month, in one currency."""

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("seller"),
        related_name="seller_statements",
    )
    month = models.DateField(_("month"))
    currency = models.CharField(_("currency"), max_length=3)
    opening = models.BigIntegerField(_("opening balance"))
    closing = models.BigIntegerField(_("closing balance"))
    # {kind of transaction: change of the balance}
    movements = models.JSONField(_("movements"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("seller's statement")
        verbose_name_plural = _("sellers' statements")
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "month", "currency"],
                name="mp_statement_once",
                violation_error_message=_("The statement exists already."),
            )
        ]
        indexes = [
            # all statements of a month
            models.Index(fields=["month", "id"], name="mp_statement_month"),
        ]

    def __str__(self) -> str:
        return f"{self.seller_id} {self.month:%Y-%m} {self.currency}"


class InvoiceSeries(models.Model):
    """The counter of a series of invoices; its row is locked while numbers are given."""

    name = models.CharField(_("name"), max_length=20, unique=True)
    last_number = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("series of invoices")
        verbose_name_plural = _("series of invoices")

    def __str__(self) -> str:
        return self.name


class CommissionInvoice(AppendOnlyModel):
    """The platform's invoice to a seller for a month; numbers have no gaps.

    A month in which more commission went back than was charged gives a negative one: a credit
    note.
    """

    series = models.ForeignKey(
        InvoiceSeries, models.PROTECT, verbose_name=_("series"), related_name="invoices"
    )
    number = models.PositiveIntegerField(_("number"))
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("seller"),
        related_name="commission_invoices",
    )
    month = models.DateField(_("month"))
    currency = models.CharField(_("currency"), max_length=3)
    net = models.BigIntegerField(_("net"))
    tax = models.BigIntegerField(_("tax"))
    total = models.BigIntegerField(_("total"))
    is_reverse_charge = models.BooleanField(_("reverse charge"), default=False)
    # Names, addresses and tax ids as they were, and the amounts by line.
    content = models.JSONField(_("content"), default=dict, blank=True)
    issued_on = models.DateField(_("issued on"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("commission invoice")
        verbose_name_plural = _("commission invoices")
        constraints = [
            models.UniqueConstraint(
                fields=["series", "number"],
                name="mp_invoice_number_once",
                violation_error_message=_("This number is taken."),
            ),
            models.UniqueConstraint(
                fields=["seller", "month", "currency"],
                name="mp_invoice_once",
                violation_error_message=_("The invoice exists already."),
            ),
            models.CheckConstraint(
                condition=Q(total=F("net") + F("tax")),
                name="mp_invoice_adds_up",
                violation_error_message=_("Net and tax add up to the total."),
            ),
        ]
        indexes = [
            # all invoices of a month
            models.Index(fields=["month", "id"], name="mp_invoice_month"),
        ]

    def __str__(self) -> str:
        return f"{self.content.get('series', '')}-{self.number:06d}"
