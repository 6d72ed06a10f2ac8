"""Webhook endpoints and their delivery log for staff."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import DeliveryFilter
from marketplace.api.serializers.webhooks import (
    WebhookDeliveryDetailSerializer,
    WebhookDeliverySerializer,
    WebhookEndpointInput,
    WebhookEndpointSerializer,
    WebhookSecretSerializer,
)
from marketplace.models import WebhookDelivery, WebhookEndpoint
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    PagedList,
    RetrieveAction,
    StaffViewSet,
    expected_version,
)
from systemadmin.foundation.caller import caller


class WebhookEndpointViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/webhook-endpoints`: where messages go."""

    access = {
        "list": "marketplace.view_webhookendpoint",
        "retrieve": "marketplace.view_webhookendpoint",
        "create": "marketplace.add_webhookendpoint",
        "update": "marketplace.change_webhookendpoint",
        "partial_update": "marketplace.change_webhookendpoint",
        "rotate_secret": "marketplace.change_webhookendpoint",
        "destroy": "marketplace.delete_webhookendpoint",
    }
    serializer_class = WebhookEndpointSerializer
    pagination_class = PagedList
    queryset = WebhookEndpoint.objects.order_by("id")
    # Their answers hold the secret, which is stored nowhere in the clear.
    not_idempotent = {"create", "rotate_secret"}
    versioned = True

    @extend_schema(request=WebhookEndpointInput, responses={201: WebhookSecretSerializer})
    def create(self, request: Request) -> Response:
        """Add an endpoint; the answer shows its secret, this once."""
        endpoint, secret = services.create_endpoint(
            actor=caller(request), **self.parse(WebhookEndpointInput)
        )
        return self.answer({"endpoint": endpoint, "secret": secret}, 201, WebhookSecretSerializer)

    @extend_schema(request=WebhookEndpointInput, responses=WebhookEndpointSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """Replace an endpoint."""
        return self._update(request, self.parse(WebhookEndpointInput))

    @extend_schema(request=WebhookEndpointInput(partial=True), responses=WebhookEndpointSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an endpoint, or switch it on or off."""
        return self._update(request, self.parse(WebhookEndpointInput, partial=True))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an endpoint with its log."""
        services.delete_endpoint(actor=caller(request), endpoint=self.get_object())
        return Response(status=204)

    @extend_schema(request=None, responses=WebhookSecretSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Give a new secret; the old one signs beside it for a day."""
        endpoint, secret = services.rotate_secret(actor=caller(request), endpoint=self.get_object())
        return self.answer({"endpoint": endpoint, "secret": secret}, 200, WebhookSecretSerializer)

    def _update(self, request: Request, values: dict[str, Any]) -> Response:
        endpoint = services.update_endpoint(
            actor=caller(request),
            endpoint=self.get_object(),
            expected_version=expected_version(request),
            **values,
        )
        return self.answer(endpoint)


class WebhookDeliveryViewSet(ListAction, StaffViewSet):
    """`/api/admin/webhook-deliveries`: the log, and sending again."""

    access = {
        "list": "marketplace.view_webhookdelivery",
        "retrieve": "marketplace.view_webhookdelivery",
        "replay": "marketplace.replay_webhookdelivery",
    }
    serializer_class = WebhookDeliverySerializer
    pagination_class = CursorList
    filterset_class = DeliveryFilter
    ordering = ("-id",)
    ordering_fields = ["id"]

    def get_queryset(self) -> QuerySet:
        """All of them."""
        return WebhookDelivery.objects.select_related("message", "endpoint")

    @extend_schema(responses=WebhookDeliveryDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one delivery with its body and every try."""
        delivery = self.get_object()
        return self.answer(delivery, serializer_class=WebhookDeliveryDetailSerializer)

    @extend_schema(request=None, responses={201: WebhookDeliverySerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send the message again."""
        again = services.replay_delivery(actor=caller(request), delivery=self.get_object())
        return self.answer(again, 201)
