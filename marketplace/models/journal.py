"""Entries by hand: what happened to the money outside of orders and payouts, and why."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.ledger import LedgerAccount
from marketplace.models.orders import Order
from marketplace.models.payouts import Payout
from systemadmin.foundation.files import PrivateStorage
from systemadmin.foundation.models import AppendOnlyModel


class JournalEntry(AppendOnlyModel):
    """One entry by hand; its lines add up to zero. A wrong one is reversed, never changed."""

    class Kind(models.TextChoices):
        DISPUTE_FEE = "dispute_fee", _("Dispute fee")
        GOODWILL_PLATFORM = "goodwill_platform", _("Goodwill, paid by the platform")
        GOODWILL_SELLER = "goodwill_seller", _("Goodwill, paid by the seller")
        CREDIT = "credit", _("Credit to the seller")
        WRITE_OFF = "write_off", _("Write-off of a debt")
        TAX_REMITTED = "tax_remitted", _("Tax remitted")
        SETTLEMENT = "settlement", _("Settlement of the payment processor")
        OPENING = "opening", _("Opening balance")
        OTHER = "other", _("Other")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=1000)
    booked_on = models.DateField(_("day"))
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("seller"),
        null=True,
        blank=True,
        related_name="+",
    )
    order = models.ForeignKey(
        Order,
        models.PROTECT,
        verbose_name=_("order"),
        null=True,
        blank=True,
        related_name="journal_entries",
    )
    payout = models.ForeignKey(
        Payout,
        models.PROTECT,
        verbose_name=_("payout"),
        null=True,
        blank=True,
        related_name="journal_entries",
    )
    attachment = models.FileField(
        _("attachment"), storage=PrivateStorage, upload_to="journal/%Y/%m", blank=True
    )
    attachment_name = models.CharField(_("attachment name"), max_length=140, blank=True)
    attachment_type = models.CharField(_("attachment type"), max_length=80, blank=True)
    reverses = models.OneToOneField(
        "self",
        models.PROTECT,
        verbose_name=_("reverses"),
        null=True,
        blank=True,
        related_name="reversed_by",
    )
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
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        permissions = [("reverse_journalentry", _("Can reverse a journal entry"))]
        indexes = [
            # the list of a kind, newest first
            models.Index(fields=["kind", "-id"], name="mp_journal_kind"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class JournalLine(AppendOnlyModel):
    """One line of an entry as it was entered; debits are positive, credits negative.

    “Seller” is the seller's balance: the ledger puts it on payable or clawback.
    """

    SELLER = "seller"
    # What hand entries may touch; the others follow orders and disputes alone.
    ACCOUNTS = [
        (SELLER, _("Seller's balance")),
        *(
            (code.value, code.label)
            for code in (
                LedgerAccount.Code.CASH,
                LedgerAccount.Code.BANK,
                LedgerAccount.Code.CLAWBACK,
                LedgerAccount.Code.REVENUE,
                LedgerAccount.Code.TAX,
                LedgerAccount.Code.PROCESSING,
                LedgerAccount.Code.PROMOTIONS,
                LedgerAccount.Code.GOODWILL,
                LedgerAccount.Code.DISPUTE_FEES,
                LedgerAccount.Code.WRITE_OFFS,
                LedgerAccount.Code.EQUITY,
                LedgerAccount.Code.SUSPENSE,
            )
        ),
    ]

    entry = models.ForeignKey(
        JournalEntry, models.PROTECT, verbose_name=_("entry"), related_name="lines"
    )
    account = models.CharField(_("account"), max_length=20, choices=ACCOUNTS)
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("seller"),
        null=True,
        blank=True,
        related_name="+",
    )
    amount = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("journal line")
        verbose_name_plural = _("journal lines")
        constraints = [
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="mp_journal_line_not_zero",
                violation_error_message=_("A line moves something."),
            ),
            models.CheckConstraint(
                condition=Q(seller__isnull=False, account__in=("seller", "clawback"))
                | (Q(seller__isnull=True) & ~Q(account__in=("seller", "clawback"))),
                name="mp_journal_line_owner_fits",
                violation_error_message=_("Sellers' accounts have a seller, others have none."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.amount}"
