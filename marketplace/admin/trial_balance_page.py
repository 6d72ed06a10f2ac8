"""The page of the trial balance: every kind of account before a period, its turnover, and after."""

from collections import defaultdict
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.admin.report_tables import Table, bounds_of, money_row, period_form, sums_of
from marketplace.models import LedgerAccount
from marketplace.querysets.trial_balance import trial_balance

COLUMNS: Final = {
    "opening": _("Before"),
    "debit": _("Debit"),
    "credit": _("Credit"),
    "closing": _("After"),
}


class TrialBalancePage(admin.ModelAdmin):
    """Mixin of the admin of ledger accounts."""

    def get_urls(self) -> list[Any]:
        """Return the trial balance before Django's pages."""
        view = self.admin_site.admin_view(self.balances_view)
        return [path("balances/", view, name="marketplace_balances"), *super().get_urls()]

    def balances_view(self, request: HttpRequest) -> HttpResponse:
        """Return the trial balance of a period, one table a currency."""
        form = period_form(request, "marketplace.view_ledgerentry")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Trial balance"),
            "opts": self.model._meta,
            "media": self.media,
            "form": form,
            "parent": "admin:marketplace_ledgeraccount_changelist",
            "explanation": _(
                "Debits are positive and credits negative, so that all accounts add up to zero."
            ),
            "nothing": _("Nothing was booked up to then."),
        }
        if form.is_valid():
            context["tables"] = _tables(trial_balance(**bounds_of(form)))
        return TemplateResponse(request, "admin/marketplace/order/reports.html", context)


def _tables(rows: list[dict[str, Any]]) -> list[Table]:
    by_currency: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_currency[row["currency"]].append(row)
    return [
        Table(
            title=gettext("Trial balance, %(currency)s") % {"currency": code},
            first=gettext("Account"),
            heads=list(COLUMNS.values()),
            rows=[
                (LedgerAccount.Code(row["account"]).label, money_row(row, COLUMNS, code))
                for row in own
            ],
            total=money_row(sums_of(own, COLUMNS), COLUMNS, code),
        )
        for code, own in sorted(by_currency.items())
    ]
