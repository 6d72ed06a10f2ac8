"""Payout batches for staff."""

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.serializers.finance import (
    BatchPaidSerializer,
    PayoutBatchInput,
    PayoutBatchSerializer,
)
from marketplace.models import PayoutBatch
from systemadmin.foundation.api import ListAction, PagedList, RetrieveAction, StaffViewSet
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput

FILES = {"pain.001": ("application/xml", "xml"), "csv": ("text/csv", "csv")}


class PayoutBatchViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/payout-batches`: pending payouts in one file for the bank."""

    access = {
        "list": "marketplace.view_payoutbatch",
        "retrieve": "marketplace.view_payoutbatch",
        "create": "marketplace.add_payoutbatch",
        "file": "marketplace.download_payoutbatch",
        "mark_paid": "marketplace.change_payoutbatch",
    }
    needs_second_person = {"create", "mark_paid"}
    serializer_class = PayoutBatchSerializer
    pagination_class = PagedList

    def get_queryset(self) -> QuerySet:
        """Newest first, without the files."""
        return PayoutBatch.objects.defer("pain001_sealed", "csv_sealed").order_by("-id")

    @extend_schema(request=PayoutBatchInput, responses={201: PayoutBatchSerializer})
    def create(self, request: Request) -> Response:
        """Put the pending payouts of a currency into a file: pain.001 for EUR, and CSV."""
        batch = services.create_payout_batch(actor=caller(request), **self.parse(PayoutBatchInput))
        return self.answer(batch, 201)

    @extend_schema(
        parameters=[OpenApiParameter("file", str, enum=sorted(FILES))],
        responses={
            (200, "application/xml"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    @action(detail=True)
    def file(self, request: Request, pk: str) -> HttpResponse:
        """Return the file, the same each time; who takes it is on record."""
        kind = request.query_params.get("file", "pain.001")
        if kind not in FILES:
            raise InvalidInput("file", ", ".join(sorted(FILES)))
        batch = self.get_object()
        text = services.payout_file(actor=caller(request), batch=batch, kind=kind)
        mime, ending = FILES[kind]
        response = HttpResponse(text, content_type=f"{mime}; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="payouts-{batch.pk}.{ending}"'
        response["Cache-Control"] = "private, no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    @extend_schema(request=None, responses=BatchPaidSerializer)
    @action(detail=True, methods=["post"], url_path="mark-paid")
    def mark_paid(self, request: Request, pk: str) -> Response:
        """Record that the bank carried it out: pending payouts are paid, those on hold stay."""
        paid = services.pay_payout_batch(actor=caller(request), batch=self.get_object())
        return self.answer({"paid": paid}, 200, BatchPaidSerializer)
