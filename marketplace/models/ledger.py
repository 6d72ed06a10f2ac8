"""The double-entry ledger: accounts, transactions, entries.

Amounts are signed: a debit is positive, a credit negative. The entries of a transaction are
written first and the transaction last; a trigger on the transaction refuses it unless its entries
add up to zero per currency, another refuses entries for a transaction that already exists, and a
third refuses every change and removal (see migration `0002_ledger_triggers`).
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.disputes import Dispute
from marketplace.models.orders import Order, OrderLine, Refund
from marketplace.querysets.ledger import LedgerEntryQuerySet
from systemadmin.foundation.models import AppendOnlyModel
from systemadmin.foundation.money import format_money


class LedgerAccount(models.Model):
    """An account of the platform, or of one seller, in one currency."""

    class Code(models.TextChoices):
        CASH = "cash", _("Cash at the payment service")
        BUYER_FUNDS = "buyer_funds", _("Buyers' funds")
        SELLER_PAYABLE = "seller_payable", _("Payable to the seller")
        SELLER_HELD = "seller_held", _("Held in a dispute")
        CLAWBACK = "clawback", _("Clawback owed by the seller")
        REVENUE = "revenue", _("Platform revenue")
        TAX = "tax", _("Tax on commissions")
        PROCESSING = "processing", _("Payment processor's fees")
        REFUNDS = "refunds", _("Refunds")
        IN_TRANSIT = "payouts_in_transit", _("Payouts in transit")
        BANK = "bank", _("Bank")
        PROMOTIONS = "promotions", _("Discounts paid by the platform")
        GOODWILL = "goodwill", _("Goodwill")
        DISPUTE_FEES = "dispute_fees", _("Dispute fees")
        WRITE_OFFS = "write_offs", _("Write-offs")
        CHARGEBACKS = "chargebacks", _("Chargebacks under way")
        EQUITY = "equity", _("Opening balances")
        SUSPENSE = "suspense", _("Suspense")

    SELLER_CODES = ("seller_payable", "seller_held", "clawback")

    code = models.CharField(_("account"), max_length=20, choices=Code.choices)
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("seller"),
        null=True,
        blank=True,
        related_name="ledger_accounts",
    )
    currency = models.CharField(_("currency"), max_length=3)
    # Kept for sellers only: a counter on the platform's own accounts would make every payment
    # wait for every other.
    balance = models.BigIntegerField(_("balance"), default=0, editable=False)

    class Meta:
        verbose_name = _("ledger account")
        verbose_name_plural = _("ledger accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "code", "currency"],
                condition=Q(seller__isnull=False),
                name="mp_account_seller_once",
            ),
            models.UniqueConstraint(
                fields=["code", "currency"],
                condition=Q(seller__isnull=True),
                name="mp_account_platform_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    seller__isnull=False, code__in=("seller_payable", "seller_held", "clawback")
                )
                | (
                    Q(seller__isnull=True)
                    & ~Q(code__in=("seller_payable", "seller_held", "clawback"))
                ),
                name="mp_account_owner_fits",
                violation_error_message=_("Sellers' accounts have a seller, others have none."),
            ),
        ]

    def __str__(self) -> str:
        owner = f" · {self.seller}" if self.seller_id else ""
        return f"{self.get_code_display()}{owner} · {self.currency}"


class LedgerTransaction(AppendOnlyModel):
    """A balanced set of entries; its business key can be used once."""

    class Kind(models.TextChoices):
        PAYMENT = "payment", _("Payment")
        COMPLETION = "completion", _("Completion")
        REFUND = "refund", _("Refund")
        HOLD = "hold", _("Hold")
        RELEASE = "release", _("Release of a hold")
        PAYOUT = "payout", _("Payout")
        PAYOUT_FEE = "payout_fee", _("Fee of a payout")
        PAYOUT_PAID = "payout_paid", _("Payout paid")
        PAYOUT_RETURNED = "payout_returned", _("Payout returned by the bank")
        PAYOUT_CANCELLED = "payout_cancelled", _("Payout cancelled")
        REVERSAL = "reversal", _("Reversal")
        JOURNAL = "journal", _("Entry by hand")
        NETTING = "netting", _("Debt taken from the balance")
        CHARGEBACK = "chargeback", _("Chargeback")

    key = models.CharField(_("business key"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    digest = models.CharField(_("digest"), max_length=64)
    order = models.ForeignKey(
        Order,
        models.PROTECT,
        verbose_name=_("order"),
        null=True,
        blank=True,
        related_name="ledger_transactions",
    )
    refund = models.ForeignKey(
        Refund, models.PROTECT, verbose_name=_("refund"), null=True, blank=True, related_name="+"
    )
    dispute = models.ForeignKey(
        Dispute, models.PROTECT, verbose_name=_("dispute"), null=True, blank=True, related_name="+"
    )
    payout = models.ForeignKey(
        "marketplace.Payout",
        models.PROTECT,
        verbose_name=_("payout"),
        null=True,
        blank=True,
        related_name="+",
    )
    # One transaction for each entry; a unique column would have SQLite make the table anew,
    # without its triggers.
    journal_entry = models.ForeignKey(
        "marketplace.JournalEntry",
        models.PROTECT,
        verbose_name=_("journal entry"),
        null=True,
        blank=True,
        related_name="ledger_transactions",
    )
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
    # Play money of the demo may be purged; everything else stays for ever.
    is_demo = models.BooleanField(_("is demo"), default=False)
    posted_at = models.DateTimeField(_("posted at"))
    # The closed month that it came too late for, by its first day.
    belongs_to = models.DateField(_("belongs to the month"), null=True, blank=True)

    class Meta:
        verbose_name = _("ledger transaction")
        verbose_name_plural = _("ledger transactions")
        indexes = [
            # reports by period
            models.Index(fields=["posted_at", "id"], name="mp_ledger_posted"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["journal_entry"],
                condition=Q(journal_entry__isnull=False),
                name="mp_ledger_journal_once",
                violation_error_message=_("An entry by hand is posted once."),
            ),
        ]

    def __str__(self) -> str:
        return self.key


class LedgerEntry(AppendOnlyModel):
    """One signed amount on one account."""

    transaction = models.ForeignKey(
        LedgerTransaction, models.PROTECT, verbose_name=_("transaction"), related_name="entries"
    )
    account = models.ForeignKey(
        LedgerAccount, models.PROTECT, verbose_name=_("account"), related_name="entries"
    )
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount"))
    line = models.ForeignKey(
        OrderLine,
        models.PROTECT,
        verbose_name=_("line"),
        null=True,
        blank=True,
        related_name="ledger_entries",
    )
    is_demo = models.BooleanField(_("is demo"), default=False)

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        permissions = [("export_ledger", _("Can export the ledger"))]
        constraints = [
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="mp_entry_not_zero",
                violation_error_message=_("An entry moves something."),
            )
        ]
        indexes = [
            # an account's statement, newest first
            models.Index(fields=["account", "-id"], name="mp_entry_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {format_money(self.amount, self.currency)}"
