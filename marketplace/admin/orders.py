"""Orders, refunds and disputes in the admin, and the reports."""

from datetime import datetime, time
from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.forms import (
    ForBuyerForm,
    NoteForm,
    PaymentForm,
    PeriodForm,
    RefundForm,
    ReplyForm,
)
from marketplace.models import Dispute, DisputeMessage, Order, OrderLine, Refund
from marketplace.querysets import reports
from marketplace.services import clock
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.charts import Series, bar_chart
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.forms import clean_amount
from systemadmin.foundation.money import format_money
from systemadmin.foundation.snapshots import read_snapshot, snapshot_download

VIEW_REPORTS = "marketplace.view_reports"
REFUND, RESOLVE = "marketplace.refund_order", "marketplace.resolve_dispute"


class LineInline(ReadOnlyInline):
    """What was bought."""

    model = OrderLine
    fields = ["product", "quantity", "unit_price", "shipping", "total", "refunded"]
    readonly_fields: Any = fields
    show_change_link = False


class RefundInline(ReadOnlyInline):
    """What was given back."""

    model = Refund
    fields = ["number", "amount", "commission", "tax", "reason", "actor", "created_at"]
    readonly_fields: Any = fields
    show_change_link = False


@admin.register(Order)
class OrderAdmin(AtalayaModelAdmin):
    """Orders and the steps staff may take."""

    change_list_template = "admin/marketplace/order/change_list.html"
    list_display = ["number", "buyer", "seller", "total_shown", "status", "created_at", "paid_at"]
    list_filter = ["status", "currency"]
    list_select_related = ["buyer", "seller"]
    search_fields = ["=id", "payment_reference__exact"]
    ordering = ["-id"]
    inlines = [LineInline, RefundInline]
    actions = ["pay", "complete", "refund", "cancel"]

    class Media:
        css = {"all": ["marketplace/marketplace.css"]}

    def get_urls(self) -> list[Any]:
        """The reports before Django's pages."""
        wrap = self.admin_site.admin_view
        own = [
            path("reports/", wrap(self.reports_view), name="marketplace_reports"),
            path("reports.csv", wrap(self.reports_csv), name="marketplace_reports_csv"),
        ]
        return own + super().get_urls()

    @admin.display(description=_("order"), ordering="id")
    def number(self, order: Order) -> str:
        """Its number."""
        return str(order)

    @admin.display(description=_("total"), ordering="total")
    def total_shown(self, order: Order) -> str:
        """In the currency's own decimals."""
        return format_money(order.total, order.currency)

    @form_action(description=_("Record a payment"), form=PaymentForm, perm="marketplace.pay_order")
    def pay(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Record the payments of the selected orders."""
        services.pay_order(
            actor=caller(request),
            order=obj,
            reference=data["reference"],
            processing_fee=_minor("processing_fee", data, obj.currency) or 0,
        )

    @service_action(description=_("Complete"), perm="marketplace.complete_order")
    def complete(self, request: HttpRequest, obj: Order) -> None:
        """The buyer has it."""
        services.complete_order(actor=caller(request), order=obj)

    @form_action(description=_("Refund"), form=RefundForm, perm=REFUND)
    def refund(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Give money back."""
        refund = services.refund_order(
            actor=caller(request),
            order=obj,
            amount=_minor("amount", data, obj.currency),
            reason=data["reason"],
        )
        self.message_user(
            request,
            _t("%(amount)s of order %(order)s go back to the buyer.")
            % {"amount": format_money(refund.amount, obj.currency), "order": obj},
        )

    @form_action(description=_("Cancel unpaid"), form=NoteForm, perm=REFUND)
    def cancel(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Give the reservation up."""
        services.cancel_order(actor=caller(request), order=obj, reason=data["note"][:500])

    def reports_view(self, request: HttpRequest) -> HttpResponse:
        """Commissions and sales with charts."""
        form = PeriodForm.for_query(request.GET)
        rows = _report_rows(request, form)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Commissions and sales"),
            "opts": self.model._meta,
            "media": self.media,
            "form": form,
            "charts": _charts(rows["months"], rows["sales"]),
            "by_seller": _with_money(rows["sellers"]),
            "by_category": _with_money(rows["categories"]),
            "csv_url": f"{reverse('admin:marketplace_reports_csv')}?{request.GET.urlencode()}",
        }
        return TemplateResponse(request, "admin/marketplace/order/reports.html", context)

    def reports_csv(self, request: HttpRequest) -> FileResponse:
        """Commissions per month, seller and category as CSV."""
        form = PeriodForm.for_query(request.GET)
        rows = reports.commissions(
            **_period(request, form), group_by=["period", "seller", "category"]
        )
        columns = ["period", "seller_name", "category_name", "currency"]
        columns += ["commission", "reversed", "net", "tax"]
        return snapshot_download(
            lambda: csv_of_mappings(columns, rows), name="commissions.csv", content_type="text/csv"
        )


def _minor(field: str, data: dict[str, Any], currency: str) -> int | None:
    """Return an amount that was typed in major units in minor units."""
    amount = clean_amount(field, data[field], currency)
    if amount == 0 and field != "processing_fee":
        raise ValidationError({field: _t("Nothing would be refunded.")})
    return amount


def _period(request: HttpRequest, form: PeriodForm) -> dict[str, Any]:
    if not request.user.has_perm(VIEW_REPORTS):
        raise PermissionDenied
    if not form.is_valid():
        form = PeriodForm.for_query({})
        form.is_valid()
    data = form.cleaned_data
    zone = clock.place_zone()
    return {
        "start": datetime.combine(data["start"], time(), zone),
        "end": datetime.combine(data["end"], time(), zone),
        "tz": zone,
    }


def _report_rows(request: HttpRequest, form: PeriodForm) -> dict[str, list[dict[str, Any]]]:
    period = _period(request, form)
    # The four tables of the page have to agree with each other.
    with read_snapshot():
        return {
            "months": list(reports.commissions(**period, group_by=["period"])),
            "sales": list(reports.sales(**period, group_by=["period"])),
            "sellers": list(reports.commissions(**period, group_by=["seller"])),
            "categories": list(reports.commissions(**period, group_by=["category"])),
        }


def _charts(commissions: list[dict[str, Any]], sales: list[dict[str, Any]]) -> list[Any]:
    """One pair of charts a currency: amounts of different currencies do not compare."""
    charts = []
    for code in sorted({row["currency"] for row in [*commissions, *sales]}):
        for title, rows in (
            (_t("Commissions by month, %(currency)s"), commissions),
            (_t("Sales by month, %(currency)s"), sales),
        ):
            own = [row for row in rows if row["currency"] == code]
            title = title % {"currency": code}
            svg = bar_chart(
                title,
                [date_format(row["period"], "YEAR_MONTH_FORMAT") for row in own],
                [Series(_t("Net"), "chart-bar", [row["net"] for row in own])],
                partial(format_money, currency=code),
            )
            charts.append((title, svg))
    return charts


def _with_money(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The largest first, amounts in their currency."""
    ordered = sorted(rows, key=lambda row: (row["currency"], -row["net"]))[:50]
    for row in ordered:
        for name in ("commission", "reversed", "net", "tax"):
            row[name] = format_money(row[name], row["currency"])
    return ordered


class MessageInline(ReadOnlyInline):
    """The conversation."""

    model = DisputeMessage
    fields = ["created_at", "author", "is_internal", "body", "evidence_link"]
    readonly_fields: Any = fields
    show_change_link = False

    @admin.display(description=_("evidence"))
    def evidence_link(self, message: DisputeMessage) -> Any:
        """The file as a download."""
        if not message.evidence:
            return "-"
        url = f"/api/admin/disputes/{message.dispute_id}/messages/{message.pk}/evidence"
        return format_html('<a href="{}">{}</a>', url, message.evidence_name)


@admin.register(Dispute)
class DisputeAdmin(AtalayaModelAdmin):
    """What buyers and sellers disagree about."""

    list_display = ["number", "order", "opened_by", "reason", "status", "held_amount", "created_at"]
    list_filter = ["status", "reason"]
    list_select_related = ["order", "opened_by"]
    ordering = ["-id"]
    inlines = [MessageInline]
    actions = ["reply", "resolve_for_buyer", "resolve_for_seller"]

    @admin.display(description=_("dispute"), ordering="id")
    def number(self, dispute: Dispute) -> str:
        """Its number."""
        return str(dispute)

    @form_action(description=_("Write a message"), form=ReplyForm, perm=RESOLVE)
    def reply(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """To both parties, or a note."""
        services.add_dispute_message(actor=caller(request), dispute=obj, **data)

    @form_action(description=_("Resolve for the buyer"), form=ForBuyerForm, perm=RESOLVE)
    def resolve_for_buyer(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """With a refund."""
        services.resolve_dispute(
            actor=caller(request),
            dispute=obj,
            in_favour_of="buyer",
            refund_amount=_minor("refund_amount", data, obj.order.currency),
            note=data["note"],
        )

    @form_action(description=_("Resolve for the seller"), form=NoteForm, perm=RESOLVE)
    def resolve_for_seller(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """The hold is released."""
        services.resolve_dispute(
            actor=caller(request), dispute=obj, in_favour_of="seller", note=data["note"]
        )
