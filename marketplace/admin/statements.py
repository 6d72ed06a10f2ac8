"""Statements and invoices in the admin: made for a closed month, read and downloaded."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from marketplace.admin.columns import money_column, movements_shown, named_lines
from marketplace.admin.lists import CurrencyFilter
from marketplace.models import CommissionInvoice, SellerStatement
from marketplace.statement_pdf import invoice_lines, invoice_pdf, statement_pdf
from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.money import format_money


class _PdfAdmin(AtalayaModelAdmin):
    """A page whose rows have a PDF."""

    def get_urls(self) -> list[Any]:
        """Return the PDF before Django's pages."""
        view = self.admin_site.admin_view(self.pdf_view)
        name = f"marketplace_{self.opts.model_name}_pdf"
        return [path("<int:pk>/pdf/", view, name=name), *super().get_urls()]

    @admin.display(description="PDF")
    def pdf(self, obj: Any) -> str:
        """Return a link to it."""
        address = reverse(f"admin:marketplace_{self.opts.model_name}_pdf", args=[obj.pk])
        return format_html('<a href="{}">PDF</a>', address)

    def pdf_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the statement or invoice as a PDF download."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = get_object_or_404(self.model, pk=pk)
        data = invoice_pdf(obj) if isinstance(obj, CommissionInvoice) else statement_pdf(obj)
        response = HttpResponse(data, content_type="application/pdf")
        response["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}-{pk}.pdf"'
        response["Cache-Control"] = "private, no-store"
        return response


@admin.register(SellerStatement)
class SellerStatementAdmin(_PdfAdmin):
    """The months of all sellers."""

    list_display = ["seller", "month", "currency", "opening_shown", "closing_shown", "pdf"]
    list_filter = [CurrencyFilter]
    list_select_related = ["seller"]
    search_fields = ["seller__username__istartswith"]
    ordering = ["-id"]
    fields = ["seller", "month", "opening_shown", "movements_shown", "closing_shown", "created_at"]
    readonly_fields = ["opening_shown", "movements_shown", "closing_shown"]

    @admin.display(description=_("movements"))
    def movements_shown(self, statement: SellerStatement) -> Any:
        """Return what changed the balance, by kind."""
        return movements_shown(statement.movements, statement.currency)

    @admin.display(description=_("opening balance"))
    def opening_shown(self, statement: SellerStatement) -> str:
        """In the currency's own decimals."""
        return format_money(statement.opening, statement.currency)

    @admin.display(description=_("closing balance"))
    def closing_shown(self, statement: SellerStatement) -> str:
        """In the currency's own decimals."""
        return format_money(statement.closing, statement.currency)


@admin.register(CommissionInvoice)
class CommissionInvoiceAdmin(_PdfAdmin):
    """The invoices to all sellers."""

    list_display = ["__str__", "seller", "month", "total_shown", "issued_on", "pdf"]
    list_filter = [CurrencyFilter]
    list_select_related = ["seller"]
    search_fields = ["seller__username__istartswith"]
    ordering = ["-id"]
    fields: Any = [
        "series",
        "number",
        "seller",
        "month",
        *(money_column(CommissionInvoice, name) for name in ("net", "tax", "total")),
        "is_reverse_charge",
        "lines_shown",
        "parties_shown",
        "issued_on",
    ]
    readonly_fields: Any = [
        *(one for one in fields if callable(one)), "lines_shown", "parties_shown",
    ]  # fmt: skip

    @admin.display(description=_("lines"))
    def lines_shown(self, invoice: CommissionInvoice) -> Any:
        """Return what the net amount is made of."""
        lines = invoice.content.get("lines", {})
        return named_lines(
            (text, format_money(lines[name], invoice.currency))
            for name, text in invoice_lines().items()
            if lines.get(name)
        )

    @admin.display(description=_("parties"))
    def parties_shown(self, invoice: CommissionInvoice) -> Any:
        """Return from whom to whom, as it was when it was issued."""
        parts = (("issuer", _("From")), ("recipient", _("To")))
        return named_lines(
            (text, ", ".join(filter(None, invoice.content.get(name, {}).values())))
            for name, text in parts
        )

    @admin.display(description=_("total"))
    def total_shown(self, invoice: CommissionInvoice) -> str:
        """In the currency's own decimals."""
        return format_money(invoice.total, invoice.currency)
