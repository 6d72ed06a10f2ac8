"""The ledger and payouts in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.columns import money_column
from marketplace.admin.forms import FailedForm, PaidForm
from marketplace.admin.lists import CurrencyFilter
from marketplace.admin.trace import trace_list
from marketplace.admin.trial_balance_page import TrialBalancePage
from marketplace.models import LedgerAccount, LedgerEntry, LedgerTransaction, Payout, PayoutCharge
from marketplace.review_queues.money import goes_back
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.display import display_name
from systemadmin.foundation.errors import RuleViolation
from systemadmin.foundation.money import format_money

PAY_OUT = "marketplace.change_payout"


def _pays_out(account: LedgerAccount) -> str:
    if account.seller is None:
        return gettext("Choose an account payable to a seller.")
    preview = services.preview_payout(seller=account.seller, currency=account.currency)
    fees = preview.quote.fee + preview.quote.fee_tax
    values = {
        "seller": display_name(account.seller),
        "balance": format_money(-account.balance, account.currency),
        "amount": format_money(max(0, preview.quote.amount), account.currency),
        "fees": format_money(fees, account.currency),
    }
    if fees:
        text = gettext(
            "%(amount)s of a balance of %(balance)s go to %(seller)s, after fees of %(fees)s."
        )
    else:
        text = gettext("%(amount)s of a balance of %(balance)s go to %(seller)s.")
    return text % values


def _of(payout: Payout) -> dict[str, str]:
    return {
        "amount": format_money(payout.amount, payout.currency),
        "seller": display_name(payout.seller),
    }


def _was_paid(payout: Payout) -> str:
    return gettext("%(amount)s have reached %(seller)s. It cannot be undone here.") % _of(payout)


class EntryInline(ReadOnlyInline):
    """List the debits and credits of a transaction."""

    model = LedgerEntry
    fields: Any = ["account", money_column(LedgerEntry, "amount"), "line"]
    readonly_fields: Any = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the entries with the sellers that their accounts are named by."""
        return super().get_queryset(request).select_related("account__seller")


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
class LedgerAccountAdmin(TrialBalancePage, AtalayaModelAdmin):
    """Sellers' accounts with their balances, and the way to a payout."""

    change_list_template = "admin/marketplace/ledgeraccount/change_list.html"

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

    @service_action(
        description=_("Create a payout"),
        perm="marketplace.add_payout",
        applies=lambda account: account.code == LedgerAccount.Code.SELLER_PAYABLE,
        says=_pays_out,
    )
    def pay_out(self, request: HttpRequest, obj: LedgerAccount) -> None:
        """Everything payable to the seller."""
        if obj.seller is None or obj.code != LedgerAccount.Code.SELLER_PAYABLE:
            raise RuleViolation(_("Choose an account payable to a seller."))
        services.create_payout(actor=caller(request), seller=obj.seller, currency=obj.currency)


class PayoutChargeInline(ReadOnlyInline):
    """The fees of the payout."""

    model = PayoutCharge
    fields = ["fee_name", "rule", "rule_version", "amount_shown", "tax_shown", "returned_shown"]
    readonly_fields: Any = fields
    show_change_link = False

    @admin.display(description=_("amount"))
    def amount_shown(self, charge: PayoutCharge) -> str:
        """Return the charge without its tax."""
        return format_money(charge.amount, charge.payout.currency)

    @admin.display(description=_("tax"))
    def tax_shown(self, charge: PayoutCharge) -> str:
        """Return the tax on it."""
        return format_money(charge.tax, charge.payout.currency)

    @admin.display(description=_("given back"))
    def returned_shown(self, charge: PayoutCharge) -> str:
        """Return what was given back of the charge, with its tax."""
        back = charge.reversed_amount + charge.reversed_tax
        return format_money(back, charge.payout.currency)


@admin.register(Payout)
class PayoutAdmin(AtalayaModelAdmin):
    """List payouts to sellers; staff mark them as paid or failed."""

    change_list_template = "admin/marketplace/payout/change_list.html"
    list_display = [
        "number",
        "seller",
        "amount_shown",
        "fees_shown",
        "status",
        "attempts",
        "created_at",
        "paid_at",
    ]
    fields = [
        "seller",
        "taken_shown",
        "fees_shown",
        "amount_shown",
        "status",
        "attempts",
        "reference",
        "failure_reason",
        "batch",
        "paid_at",
        "created_by",
        "created_at",
        "trace_shown",
    ]
    readonly_fields = ["taken_shown", "fees_shown", "amount_shown", "trace_shown"]
    inlines = [PayoutChargeInline]
    list_filter = ["status", CurrencyFilter]
    list_select_related = ["seller"]
    search_fields = ["seller__username__istartswith", "reference__exact"]
    ordering = ["-id"]
    actions = ["mark_paid", "mark_failed", "retry", "cancel"]

    @admin.display(description=_("payout"), ordering="id")
    def number(self, payout: Payout) -> str:
        """Return the payout's number."""
        return str(payout)

    @admin.display(description=_("amount"), ordering="amount")
    def amount_shown(self, payout: Payout) -> str:
        """In the currency's own decimals."""
        return format_money(payout.amount, payout.currency)

    @admin.display(description=_("taken from the balance"))
    def taken_shown(self, payout: Payout) -> str:
        """Return what the payout took from the balance: amount and fees together."""
        return format_money(payout.gross, payout.currency)

    @admin.display(description=_("fees with tax"))
    def fees_shown(self, payout: Payout) -> str:
        """Return the fees per payout."""
        return format_money(payout.fee + payout.fee_tax, payout.currency)

    @admin.display(description=_("why"))
    def trace_shown(self, payout: Payout) -> Any:
        """Return each step of the calculation of the fees."""
        return trace_list(payout.fee_trace, payout.currency)

    @form_action(
        description=_("Mark as paid"),
        form=PaidForm,
        perm=PAY_OUT,
        applies=lambda payout: payout.status == Payout.Status.PENDING,
        says=_was_paid,
    )
    def mark_paid(self, request: HttpRequest, obj: Payout, data: dict[str, Any]) -> None:
        """Record that the money arrived."""
        services.pay_payout(actor=caller(request), payout=obj, reference=data["reference"])

    @form_action(
        description=_("Mark as failed"),
        form=FailedForm,
        perm=PAY_OUT,
        applies=lambda payout: payout.status in (Payout.Status.PENDING, Payout.Status.PAID),
    )
    def mark_failed(self, request: HttpRequest, obj: Payout, data: dict[str, Any]) -> None:
        """Record that the money did not arrive, or that the bank sent it back."""
        services.fail_payout(actor=caller(request), payout=obj, reason=data["reason"])

    @service_action(
        description=_("Try again"),
        perm=PAY_OUT,
        applies=lambda payout: payout.status == Payout.Status.FAILED,
    )
    def retry(self, request: HttpRequest, obj: Payout) -> None:
        """Send the same payout again."""
        services.retry_payout(actor=caller(request), payout=obj)

    @form_action(
        description=_("Cancel: back to the balance"),
        form=FailedForm,
        perm=PAY_OUT,
        applies=lambda payout: payout.status in (Payout.Status.PENDING, Payout.Status.FAILED),
        says=goes_back,
        tone="badline",
    )
    def cancel(self, request: HttpRequest, obj: Payout, data: dict[str, Any]) -> None:
        """Cancel the payout: it will not be tried again."""
        services.cancel_payout(actor=caller(request), payout=obj, reason=data["reason"])
