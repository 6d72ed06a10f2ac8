"""Statements and invoices: for staff all of them, for sellers their own."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import InvoiceFilter, StatementFilter
from marketplace.api.serializers.shared import MonthField
from marketplace.models import CommissionInvoice, SellerStatement
from marketplace.statement_pdf import invoice_pdf, statement_pdf
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    MemberViewSet,
    RetrieveAction,
    StaffViewSet,
    StrictSerializer,
)
from systemadmin.foundation.caller import caller

PDF = {(200, "application/pdf"): OpenApiTypes.BINARY}


class StatementSerializer(serializers.ModelSerializer):
    """A seller's month: opening, movements by kind, closing."""

    month = MonthField(read_only=True)

    class Meta:
        model = SellerStatement
        fields = ["id", "seller", "month", "currency", "opening", "movements", "closing"]
        read_only_fields = fields


class InvoiceSerializer(serializers.ModelSerializer):
    """The commission of a month."""

    month = MonthField(read_only=True)
    number = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = CommissionInvoice
        fields = ["id", "number", "seller", "month", "currency", "net", "tax", "total",
                  "is_reverse_charge", "issued_on"]  # fmt: skip
        read_only_fields = fields


class MonthInput(StrictSerializer):
    """A closed month."""

    month = MonthField(help_text="As in 2026-10.")


class MadeSerializer(serializers.Serializer):
    """How many were made now."""

    statements = serializers.IntegerField()
    invoices = serializers.IntegerField()


def pdf_response(data: bytes, name: str) -> HttpResponse:
    """Return a PDF that is saved and not shown in our origin."""
    response = HttpResponse(data, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}.pdf"'
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


class _Statements(ListAction, RetrieveAction):
    """What staff and sellers do with statements."""

    serializer_class = StatementSerializer
    pagination_class = CursorList
    filterset_class: ClassVar[Any] = StatementFilter
    ordering = ("-id",)
    ordering_fields: ClassVar[list[str]] = ["id"]

    @extend_schema(responses=PDF)
    @action(detail=True)
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """Return the statement as PDF, in the seller's language."""
        statement = self.get_object()
        name = f"statement-{statement.month:%Y-%m}-{statement.currency}"
        return pdf_response(statement_pdf(statement), name)


class _Invoices(ListAction, RetrieveAction):
    """What staff and sellers do with invoices."""

    serializer_class = InvoiceSerializer
    pagination_class = CursorList
    filterset_class: ClassVar[Any] = InvoiceFilter
    ordering = ("-id",)
    ordering_fields: ClassVar[list[str]] = ["id"]

    @extend_schema(responses=PDF)
    @action(detail=True)
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """Return the invoice as PDF, in the seller's language."""
        invoice = self.get_object()
        return pdf_response(invoice_pdf(invoice), f"invoice-{invoice}")


class StaffStatementViewSet(_Statements, StaffViewSet):
    """`/api/admin/seller-statements`: the months of all sellers."""

    access = {
        "list": "marketplace.view_sellerstatement",
        "retrieve": "marketplace.view_sellerstatement",
        "pdf": "marketplace.view_sellerstatement",
        "create": "marketplace.add_sellerstatement",
    }

    def get_queryset(self) -> QuerySet:
        """Return the statements of all sellers."""
        return SellerStatement.objects.select_related("seller")

    @extend_schema(request=MonthInput, responses={201: MadeSerializer})
    def create(self, request: Request) -> Response:
        """Make the statements and invoices of a closed month that do not exist yet."""
        made = services.make_statements(actor=caller(request), **self.parse(MonthInput))
        return self.answer(made, 201, MadeSerializer)


class StaffInvoiceViewSet(_Invoices, StaffViewSet):
    """`/api/admin/commission-invoices`: the invoices to all sellers."""

    access = {
        "list": "marketplace.view_commissioninvoice",
        "retrieve": "marketplace.view_commissioninvoice",
        "pdf": "marketplace.view_commissioninvoice",
    }

    def get_queryset(self) -> QuerySet:
        """Return the commission invoices of all sellers."""
        return CommissionInvoice.objects.all()


class OwnStatementViewSet(_Statements, MemberViewSet):
    """`/api/seller/statements`: a seller's own months."""

    def get_queryset(self) -> QuerySet:
        """Return the statements of the seller who asks."""
        own = SellerStatement.objects.filter(seller=self.request.user.pk)
        return own.select_related("seller")


class OwnInvoiceViewSet(_Invoices, MemberViewSet):
    """`/api/seller/invoices`: the invoices to a seller."""

    def get_queryset(self) -> QuerySet:
        """Return the commission invoices of the seller who asks."""
        return CommissionInvoice.objects.filter(seller=self.request.user.pk)
