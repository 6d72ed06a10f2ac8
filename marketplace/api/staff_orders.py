"""Orders and disputes for staff and the payment service."""

from typing import Any

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import DisputeFilter, StaffOrderFilter
from marketplace.api.imports import ImportedOrders
from marketplace.api.orders import evidence_of
from marketplace.api.serializers.chargebacks import AppealInput, ChargebackInput
from marketplace.api.serializers.orders import (
    DisputeDetailSerializer,
    DisputeMessageSerializer,
    DisputeSerializer,
    PayInput,
    RefundInput,
    RefundSerializer,
    ResolveInput,
    StaffDisputeMessageInput,
    StaffOrderDetailSerializer,
    StaffOrderSerializer,
)
from marketplace.api.serializers.shared import OptionalReasonInput
from marketplace.models import Dispute, Order
from marketplace.services.dispute_readings import messages_for
from marketplace.services.refunds import RefundItem
from systemadmin.foundation.api import CursorList, ListAction, StaffViewSet, expected_version
from systemadmin.foundation.api.routing import ID_REGEX
from systemadmin.foundation.caller import caller
from systemadmin.foundation.files import private_response
from systemadmin.foundation.references import REFERENCE_REGEX


class StaffOrderViewSet(ListAction, ImportedOrders):
    """`/api/admin/orders`: every order, and the steps that staff or the payment service take."""

    lookup_value_regex = REFERENCE_REGEX
    access = {
        "list": "marketplace.view_order",
        "retrieve": "marketplace.view_order",
        "create": "marketplace.import_order",
        "batch": "marketplace.import_order",
        "pay": "marketplace.pay_order",
        "complete": "marketplace.complete_order",
        "refund": "marketplace.refund_order",
        "cancel": "marketplace.refund_order",
        "chargeback": "marketplace.record_chargeback",
    }
    needs_second_person = {"pay"}
    serializer_class = StaffOrderSerializer
    pagination_class = CursorList
    filterset_class = StaffOrderFilter
    ordering = ("-id",)
    ordering_fields = ["id"]
    versioned = True

    def get_queryset(self) -> QuerySet:
        """Return the orders with their lines of all members."""
        return Order.objects.with_lines()

    @extend_schema(responses=StaffOrderDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one order with its commission lines and refunds."""
        return self._shown(self.get_object())

    @extend_schema(request=PayInput, responses=StaffOrderDetailSerializer)
    @action(detail=True, methods=["post"])
    def pay(self, request: Request, pk: str) -> Response:
        """Record the payment; the same reference again changes nothing."""
        order = services.pay_order(
            actor=caller(request),
            order=self.get_object(),
            expected_version=expected_version(request),
            **self.parse(PayInput),
        )
        return self._shown(order)

    @extend_schema(request=None, responses=StaffOrderDetailSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Complete the order, as the buyer has it: the seller gets the money."""
        order = services.complete_order(
            actor=caller(request),
            order=self.get_object(),
            expected_version=expected_version(request),
        )
        return self._shown(order)

    @extend_schema(request=RefundInput, responses={201: RefundSerializer})
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: str) -> Response:
        """Refund an amount, units, shipping, or all that is left."""
        data = self.parse(RefundInput)
        refund = services.refund_order(
            actor=caller(request),
            order=self.get_object(),
            amount=data.get("amount"),
            line_id=data.get("line"),
            items=[
                RefundItem(one["line"], one.get("quantity"), one.get("amount"), one.get("restock"))
                for one in data.get("lines", ())
            ],
            shipping=data.get("shipping"),
            restock_units=data.get("restock"),
            reason=data["reason"],
            expected_version=expected_version(request),
        )
        return self.answer(refund, 201, RefundSerializer)

    @extend_schema(request=OptionalReasonInput, responses=StaffOrderDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Give up an unpaid order."""
        order = services.cancel_order(
            actor=caller(request),
            order=self.get_object(),
            expected_version=expected_version(request),
            **self.parse(OptionalReasonInput),
        )
        return self._shown(order)

    @extend_schema(request=ChargebackInput, responses={201: DisputeSerializer})
    @action(detail=True, methods=["post"])
    def chargeback(self, request: Request, pk: str) -> Response:
        """Record that the payment service took the payment back; the same reference once."""
        dispute = services.record_chargeback(
            actor=caller(request), order=self.get_object(), **self.parse(ChargebackInput)
        )
        return self.answer(dispute, 201, DisputeSerializer)

    def _shown(self, order: Order) -> Response:
        parts = ("lines__commission", "lines__charges", "refunds")
        fresh = self.get_queryset().prefetch_related(*parts).get(pk=order.pk)
        return self.answer(fresh, serializer_class=StaffOrderDetailSerializer)


class DisputeViewSet(ListAction, StaffViewSet):
    """`/api/admin/disputes`: what buyers and sellers disagree about."""

    access = {
        "list": "marketplace.view_dispute",
        "retrieve": "marketplace.view_dispute",
        "messages": "marketplace.resolve_dispute",
        "evidence": "marketplace.view_disputemessage",
        "resolve": "marketplace.resolve_dispute",
        "appeal": "marketplace.appeal_dispute",
        "evidence_pack": "marketplace.resolve_dispute",
    }
    serializer_class = DisputeSerializer
    pagination_class = CursorList
    filterset_class = DisputeFilter
    ordering = ("-id",)
    ordering_fields = ["id"]
    versioned = True
    checks_version = {"resolve", "appeal"}

    def get_queryset(self) -> QuerySet:
        """Return the disputes of all members."""
        return Dispute.objects.select_related("opened_by", "order")

    @extend_schema(responses=DisputeDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one dispute with its conversation, notes of staff included."""
        return self._shown(self.get_object())

    @extend_schema(request=StaffDisputeMessageInput, responses={201: DisputeMessageSerializer})
    @action(detail=True, methods=["post"])
    def messages(self, request: Request, pk: str) -> Response:
        """Write to both parties, or an internal note."""
        data = self.parse(StaffDisputeMessageInput)
        message = services.add_dispute_message(
            actor=caller(request),
            dispute=self.get_object(),
            body=data["body"],
            evidence=data.get("evidence"),
            is_internal=data["internal"],
        )
        return self.answer(message, 201, DisputeMessageSerializer)

    @extend_schema(responses=OpenApiResponse(OpenApiTypes.BINARY))
    @action(detail=True, url_path=rf"messages/(?P<message_id>{ID_REGEX})/evidence")
    def evidence(self, request: Request, pk: str, message_id: str) -> Any:
        """Download a file of the dispute."""
        seen = messages_for(user=self.caller, dispute=self.get_object())
        return evidence_of(seen.filter(pk=message_id).first())

    @extend_schema(request=AppealInput, responses=DisputeDetailSerializer)
    @action(detail=True, methods=["post"])
    def appeal(self, request: Request, pk: str) -> Response:
        """Open a decided dispute again."""
        dispute = services.appeal_dispute(
            actor=caller(request),
            dispute=self.get_object(),
            expected_version=expected_version(request),
            **self.parse(AppealInput),
        )
        return self._shown(dispute)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True, url_path="evidence-pack")
    def evidence_pack(self, request: Request, pk: str) -> Any:
        """Order, messages and files of a dispute as ZIP, for the bank."""
        dispute = self.get_object()
        file = services.evidence_pack(actor=caller(request), dispute=dispute)
        name = f"dispute-{dispute.pk}.zip"
        return private_response(file, name=name, content_type="application/zip")

    @extend_schema(request=ResolveInput, responses=DisputeDetailSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Decide for the buyer, with a refund, or for the seller."""
        data = self.parse(ResolveInput)
        dispute = services.resolve_dispute(
            actor=caller(request),
            dispute=self.get_object(),
            in_favour_of=data["in_favour_of"],
            refund_amount=data.get("refund_amount"),
            note=data["note"],
            expected_version=expected_version(request),
        )
        return self._shown(dispute)

    def _shown(self, dispute: Dispute) -> Response:
        fresh = self.get_queryset().get(pk=dispute.pk)
        seen = messages_for(user=self.caller, dispute=fresh)
        prefetch_related_objects([fresh], Prefetch("messages", seen))
        return self.answer(fresh, serializer_class=DisputeDetailSerializer)
