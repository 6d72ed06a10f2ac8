"""The page of commissions and sales: charts, tables with sums, and a CSV file."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from django.contrib import admin
from django.http import FileResponse, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.admin.forms import PeriodForm
from marketplace.admin.report_tables import Table, bounds_of, money_row, period_form, sums_of
from marketplace.querysets import reports
from marketplace.services import clock
from systemadmin.foundation.charts import Series, bar_chart
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.money import format_money
from systemadmin.foundation.snapshots import read_snapshot, snapshot_download

VIEW_REPORTS: Final = "marketplace.view_reports"
MONTH_FORMAT: Final = "M Y"
# Rows of one currency; the file has all.
MOST_ROWS: Final = 50
EARNED: Final = {
    "commission": _("Commission"),
    "reversed": _("Reversed"),
    "net": _("Net"),
    "tax": _("Tax"),
}
SOLD: Final = {"gross": _("Sold"), "refunded": _("Refunded"), "net": _("Net")}

Row = dict[str, Any]


class SalesPage(admin.ModelAdmin):
    """Mixin of the orders' admin."""

    def get_urls(self) -> list[Any]:
        """Return the reports before Django's pages."""
        wrap = self.admin_site.admin_view
        own = [
            path("reports/", wrap(self.reports_view), name="marketplace_reports"),
            path("reports.csv", wrap(self.reports_csv), name="marketplace_reports_csv"),
        ]
        return own + super().get_urls()

    def reports_view(self, request: HttpRequest) -> HttpResponse:
        """Return commissions and sales of a period, or what is wrong with the period."""
        form = period_form(request, VIEW_REPORTS)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Commissions and sales"),
            "opts": self.model._meta,
            "media": self.media,
            "form": form,
            "parent": "admin:marketplace_order_changelist",
            "nothing": _("Nothing was sold in this period."),
            "csv_url": f"{reverse('admin:marketplace_reports_csv')}?{request.GET.urlencode()}",
        }
        if form.is_valid():
            rows = _report_rows(form)
            context |= {
                "charts": _charts(rows["months"], rows["sales"]),
                "tables": list(_tables(rows)),
            }
        return TemplateResponse(request, "admin/marketplace/order/reports.html", context)

    def reports_csv(self, request: HttpRequest) -> FileResponse | HttpResponse:
        """Return commissions per month, seller and category as CSV."""
        form = period_form(request, VIEW_REPORTS)
        if not form.is_valid():
            return self.reports_view(request)
        rows = reports.commissions(
            **bounds_of(form),
            tz=clock.place_zone(),
            group_by=["period", "seller", "category"],
        )
        columns = ["period", "seller_name", "category_name", "currency", *EARNED]
        return snapshot_download(
            lambda: csv_of_mappings(columns, rows), name="commissions.csv", content_type="text/csv"
        )


def _report_rows(form: PeriodForm) -> dict[str, list[Row]]:
    period = bounds_of(form) | {"tz": clock.place_zone()}
    # The tables of the page have to agree with each other.
    with read_snapshot():
        return {
            "months": list(reports.commissions(**period, group_by=["period"])),
            "sales": list(reports.sales(**period, group_by=["period"])),
            "sellers": list(reports.commissions(**period, group_by=["seller"])),
            "categories": list(reports.commissions(**period, group_by=["category"])),
        }


def _charts(commissions: list[Row], sales: list[Row]) -> list[Any]:
    """Return one pair of charts a currency: amounts of different currencies do not compare."""
    charts = []
    for code in sorted({row["currency"] for row in [*commissions, *sales]}):
        for title, rows in (
            (gettext("Commissions by month, %(currency)s"), commissions),
            (gettext("Sales by month, %(currency)s"), sales),
        ):
            own = [row for row in rows if row["currency"] == code]
            title = title % {"currency": code}
            svg = bar_chart(
                title,
                [_month(row) for row in own],
                [Series(gettext("Net"), "chart-bar", [row["net"] for row in own])],
                partial(format_money, currency=code),
            )
            charts.append((title, svg))
    return charts


def _tables(rows: Mapping[str, list[Row]]) -> Iterable[Table]:
    """Yield the tables, each for every currency."""
    for title, first, found, name, columns in (
        (_("Commissions by month, %(currency)s"), _("Month"), rows["months"], _month, EARNED),
        (_("Sales by month, %(currency)s"), _("Month"), rows["sales"], _month, SOLD),
        (
            _("Commissions by category, %(currency)s"),
            _("Category"),
            _largest_first(rows["categories"]),
            lambda row: row["category_name"] or gettext("No category"),
            EARNED,
        ),
        (
            _("Commissions by seller, %(currency)s"),
            _("Seller"),
            _largest_first(rows["sellers"]),
            lambda row: row["seller_name"] or gettext("No seller"),
            EARNED,
        ),
    ):
        by_currency: dict[str, list[Row]] = defaultdict(list)
        for row in found:
            by_currency[row["currency"]].append(row)
        for code, own in sorted(by_currency.items()):
            yield Table(
                title=str(title) % {"currency": code},
                first=str(first),
                heads=list(columns.values()),
                rows=[(name(row), money_row(row, columns, code)) for row in own[:MOST_ROWS]],
                total=money_row(sums_of(own, columns), columns, code),
                left_out=max(0, len(own) - MOST_ROWS),
            )


def _largest_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row["net"])


def _month(row: Row) -> str:
    return date_format(row["period"], MONTH_FORMAT)
