"""Orders and disputes for buyers and sellers."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import OrderFilter
from marketplace.api.serializers.orders import (
    DisputeInput,
    DisputeMessageInput,
    DisputeMessageSerializer,
    DisputeSerializer,
    OrderInput,
    OrderSerializer,
    SellerOrderSerializer,
)
from marketplace.api.serializers.shared import OptionalReasonInput
from marketplace.models import Dispute, DisputeMessage, Order
from marketplace.services.order_creation import Item
from systemadmin.foundation.api import CursorList, MemberViewSet, expected_version
from systemadmin.foundation.api.routing import ID_REGEX
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import NotAllowed, NotFound
from systemadmin.foundation.files import private_response


class OwnOrders(CursorList):
    """Pages of what one member bought and sold."""

    def read(self, page: QuerySet, limit: int) -> list[Order]:
        """Each side by its own index; for both at once all of them would be read and sorted."""
        me = self.request.user
        sides = (page.filter(buyer=me), page.filter(seller=me))
        ids = [pk for side in sides for pk in side.values_list("pk", flat=True)[:limit]]
        return super().read(page.filter(pk__in=ids), limit)


class OrderViewSet(MemberViewSet):
    """`/api/orders`: what the caller bought and sold."""

    serializer_class = OrderSerializer
    pagination_class = OwnOrders
    filterset_class = OrderFilter
    ordering = ("-id",)
    ordering_fields = ["id"]
    versioned = True
    rate_classes = {"create": "orders.create"}

    def get_queryset(self) -> QuerySet:
        """Return the caller's own."""
        if getattr(self, "swagger_fake_view", False):
            return Order.objects.none()
        return Order.objects.of_member(self.request.user).with_lines()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the caller's orders, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        # One serializer a side for the whole page: making one costs more than using it.
        context = self.get_serializer_context()
        as_buyer, as_seller = (
            OrderSerializer(context=context),
            SellerOrderSerializer(context=context),
        )
        me = self.request.user.pk
        shown = [
            (as_seller if order.seller_id == me else as_buyer).to_representation(order)
            for order in page
        ]
        return self.get_paginated_response(shown)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one order."""
        return Response(self._as_party(self.get_object()))

    @extend_schema(request=OrderInput, responses={201: OrderSerializer})
    def create(self, request: Request) -> Response:
        """Buy: the stock is reserved until `reserved_until`."""
        data = self.parse(OrderInput)
        chosen = data.get("items") or [{"product": data["product"], "quantity": data["quantity"]}]
        order = services.create_order(
            actor=caller(request),
            buyer=caller(request),
            items=[Item(item["product"], item["quantity"]) for item in chosen],
            expected_total=data.get("expected_total"),
        )
        return self._fresh(order, 201)

    @extend_schema(request=OptionalReasonInput, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Give up an unpaid order; a seller may also cancel a paid one, which refunds it."""
        order = self.get_object()
        reason = self.parse(OptionalReasonInput)["reason"]
        version = expected_version(request)
        if order.status == Order.Status.PAID and order.seller_id == request.user.pk:
            services.refund_order(
                actor=caller(request),
                order=order,
                reason=reason,
                expected_version=version,
                as_member=True,
            )
        else:
            services.cancel_order(
                actor=caller(request), order=order, reason=reason, expected_version=version
            )
        return self._fresh(order)

    @extend_schema(request=None, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Confirm that the buyer has it: the seller gets the money."""
        order = self._as_buyer()
        services.complete_order(
            actor=caller(request),
            order=order,
            expected_version=expected_version(request),
            as_member=True,
        )
        return self._fresh(order)

    @extend_schema(request=DisputeInput, responses={201: DisputeSerializer})
    @action(detail=True, methods=["post"])
    def dispute(self, request: Request, pk: str) -> Response:
        """Open a dispute."""
        dispute = services.open_dispute(
            actor=caller(request),
            order=self._as_buyer(),
            expected_version=expected_version(request),
            **self.parse(DisputeInput),
        )
        return self.answer(dispute, 201, DisputeSerializer)

    @extend_schema(methods=["GET"], responses=DisputeMessageSerializer(many=True), filters=False)
    @extend_schema(
        methods=["POST"], request=DisputeMessageInput, responses={201: DisputeMessageSerializer}
    )
    @action(
        detail=True,
        methods=["get", "post"],
        url_path="dispute/messages",
        filterset_class=None,
        pagination_class=CursorList,
        ordering=("id",),
        ordering_fields=[],
    )
    def dispute_messages(self, request: Request, pk: str) -> Response:
        """Return the conversation of the order's latest dispute, without the notes of staff."""
        dispute = self._dispute()
        if request.method == "POST":
            message = services.add_dispute_message(
                actor=caller(request), dispute=dispute, **self.parse(DisputeMessageInput)
            )
            return self.answer(message, 201, DisputeMessageSerializer)
        visible = dispute.messages.filter(is_internal=False).select_related("author")
        page = self.paginate_queryset(visible)
        return self.get_paginated_response(DisputeMessageSerializer(page, many=True).data)

    @extend_schema(responses=OpenApiResponse(OpenApiTypes.BINARY))
    @action(detail=True, url_path=rf"dispute/messages/(?P<message_id>{ID_REGEX})/evidence")
    def evidence(self, request: Request, pk: str, message_id: str) -> Any:
        """Download a file of the dispute."""
        message = self._dispute().messages.filter(pk=message_id, is_internal=False).first()
        return evidence_of(message)

    def _dispute(self) -> Dispute:
        found = Dispute.objects.filter(order=self.get_object()).order_by("-id").first()
        if found is None:
            raise NotFound
        return found

    def _as_buyer(self) -> Order:
        order = self.get_object()
        if order.buyer_id != self.request.user.pk:
            raise NotAllowed
        return order

    def _as_party(self, order: Order) -> dict[str, Any]:
        is_seller = order.seller_id == self.request.user.pk
        chosen = SellerOrderSerializer if is_seller else OrderSerializer
        return chosen(order, context=self.get_serializer_context()).data

    def _fresh(self, order: Order, status: int = 200) -> Response:
        return Response(self._as_party(self.get_queryset().get(pk=order.pk)), status=status)


def evidence_of(message: DisputeMessage | None) -> Any:
    """Return the message's file as a download, or NotFound."""
    if message is None or not message.evidence:
        raise NotFound
    return private_response(
        message.evidence.open("rb"),
        name=message.evidence_name,
        content_type=message.evidence_type,
    )
