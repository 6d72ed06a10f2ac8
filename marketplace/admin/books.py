"""The ledger and payouts in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.forms import FailedForm, PaidForm
from marketplace.models import LedgerAccount, LedgerEntry, LedgerTransaction, Payout
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import RuleViolation
from systemadmin.foundation.money import format_money

PAY_OUT = "marketplace.change_payout"


class EntryInline(ReadOnlyInline):
    """Both sides."""

    model = LedgerEntry
    fields = ["account", "amount", "currency", "line"]
    readonly_fields: Any = fields
    show_change_link = False


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(AtalayaModelAdmin):
    """What was booked; never changed."""

    list_display = ["key", "kind", "order", "payout", "posted_at", "actor"]
    list_filter = ["kind"]
    list_select_related = ["order", "payout", "actor"]
    search_fields = ["key__startswith"]
    ordering = ["-id"]
    inlines = [EntryInline]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(AtalayaModelAdmin):
    """Sellers' accounts with their balances, and the way to a payout."""

    list_display = ["code", "seller", "currency", "balance_shown"]
    list_filter = ["code", "currency"]
    list_select_related = ["seller"]
    search_fields = ["seller__username__istartswith"]
    ordering = ["code", "-id"]
    actions = ["pay_out"]

    @admin.display(description=_("balance"), ordering="balance")
    def balance_shown(self, account: LedgerAccount) -> str:
        """Debit positive; the platform's own accounts keep no running balance."""
        return format_money(account.balance, account.currency) if account.seller_id else "-"

    @service_action(description=_("Create a payout"), perm="marketplace.add_payout")
    def pay_out(self, request: HttpRequest, obj: LedgerAccount) -> None:
        """Everything payable to the seller."""
        if obj.seller is None or obj.code != LedgerAccount.Code.SELLER_PAYABLE:
            raise RuleViolation(_("Choose an account payable to a seller."))
        services.create_payout(actor=caller(request), seller=obj.seller, currency=obj.currency)


@admin.register(Payout)
class PayoutAdmin(AtalayaModelAdmin):
    """What sellers are paid."""

    list_display = [
        "number",
        "seller",
        "amount_shown",
        "status",
        "attempts",
        "created_at",
        "paid_at",
    ]
    list_filter = ["status", "currency"]
    list_select_related = ["seller"]
    search_fields = ["seller__username__istartswith", "reference__exact"]
    ordering = ["-id"]
    actions = ["mark_paid", "mark_failed", "retry", "cancel"]

    @admin.display(description=_("payout"), ordering="id")
    def number(self, payout: Payout) -> str:
        """Its number."""
        return str(payout)

    @admin.display(description=_("amount"), ordering="amount")
    def amount_shown(self, payout: Payout) -> str:
        """In the currency's own decimals."""
        return format_money(payout.amount, payout.currency)

    @form_action(description=_("Mark as paid"), form=PaidForm, perm=PAY_OUT)
    def mark_paid(self, request: HttpRequest, obj: Payout, data: dict[str, Any]) -> None:
        """The money arrived."""
        services.pay_payout(actor=caller(request), payout=obj, reference=data["reference"])

    @form_action(description=_("Mark as failed"), form=FailedForm, perm=PAY_OUT)
    def mark_failed(self, request: HttpRequest, obj: Payout, data: dict[str, Any]) -> None:
        """It did not, or the bank sent it back."""
        services.fail_payout(actor=caller(request), payout=obj, reason=data["reason"])

    @service_action(description=_("Try again"), perm=PAY_OUT)
    def retry(self, request: HttpRequest, obj: Payout) -> None:
        """The same payout."""
        services.retry_payout(actor=caller(request), payout=obj)

    @form_action(description=_("Cancel: back to the balance"), form=FailedForm, perm=PAY_OUT)
    def cancel(self, request: HttpRequest, obj: Payout, data: dict[str, Any]) -> None:
        """It will not be tried again."""
        services.cancel_payout(actor=caller(request), payout=obj, reason=data["reason"])
