"""Bank statements, and which ledger entries their lines are."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.ledger import LedgerEntry
from systemadmin.foundation.models import AppendOnlyModel


class BankStatement(AppendOnlyModel):
    """One imported file; the same file again changes nothing."""

    class Account(models.TextChoices):
        CASH = "cash", _("Cash at the payment service")
        BANK = "bank", _("Bank")

    class Format(models.TextChoices):
        CAMT = "camt.053", "camt.053"
        CSV = "csv", "CSV"

    account = models.CharField(_("account"), max_length=20, choices=Account.choices)
    currency = models.CharField(_("currency"), max_length=3)
    format = models.CharField(_("format"), max_length=10, choices=Format.choices)
    file_name = models.CharField(_("file"), max_length=140)
    sha256 = models.CharField(_("sha256"), max_length=64, unique=True)
    opening = models.BigIntegerField(_("opening balance"), null=True, blank=True)
    closing = models.BigIntegerField(_("closing balance"), null=True, blank=True)
    first_on = models.DateField(_("first day"), null=True, blank=True)
    last_on = models.DateField(_("last day"), null=True, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("imported at"), auto_now_add=True)

    class Meta:
        verbose_name = _("bank statement")
        verbose_name_plural = _("bank statements")
        constraints = [
            models.CheckConstraint(
                condition=Q(account__in=("cash", "bank")),
                name="mp_bank_statement_account",
                violation_error_message=_("A statement is of cash or of the bank."),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.file_name}"


class BankLine(AppendOnlyModel):
    """One movement that the bank reports; positive comes in."""

    statement = models.ForeignKey(
        BankStatement, models.PROTECT, verbose_name=_("statement"), related_name="lines"
    )
    account = models.CharField(_("account"), max_length=20, choices=BankStatement.Account.choices)
    currency = models.CharField(_("currency"), max_length=3)
    booked_on = models.DateField(_("day"))
    amount = models.BigIntegerField(_("amount"))
    reference = models.CharField(_("reference"), max_length=500, blank=True)
    counterparty = models.CharField(_("counterparty"), max_length=200, blank=True)
    # The bank's own id, or one made of what the line says: overlapping files bring it once.
    bank_id = models.CharField(_("id at the bank"), max_length=80)

    class Meta:
        verbose_name = _("bank line")
        verbose_name_plural = _("bank lines")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "currency", "bank_id"],
                name="mp_bank_line_once",
                violation_error_message=_("This movement was imported already."),
            ),
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="mp_bank_line_not_zero",
                violation_error_message=_("A line moves something."),
            ),
        ]
        indexes = [
            # candidates for matching, and the list by day
            models.Index(fields=["account", "currency", "booked_on"], name="mp_bank_line_day"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class BankMatch(models.Model):
    """An entry that a line is; the entries of a line add up to it."""

    line = models.ForeignKey(
        BankLine, models.PROTECT, verbose_name=_("line"), related_name="matches"
    )
    entry = models.OneToOneField(
        LedgerEntry, models.PROTECT, verbose_name=_("entry"), related_name="bank_match"
    )
    # Nobody: matched automatically.
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
        verbose_name = _("bank match")
        verbose_name_plural = _("bank matches")

    def __str__(self) -> str:
        return f"{self.line_id}/{self.entry_id}"
