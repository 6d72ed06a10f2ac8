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
    ServiceCrudViewSet,
    StaffViewSet,
    crud_access,
)
from systemadmin.foundation.caller import caller


class WebhookEndpointViewSet(ServiceCrudViewSet):
    """`/api/admin/webhook-endpoints`: where messages go."""

    access = {
        **crud_access("marketplace.webhookendpoint"),
        "rotate_secret": "marketplace.change_webhookendpoint",
    }
    serializer_class = WebhookEndpointSerializer
    input_class = WebhookEndpointInput
    queryset = WebhookEndpoint.objects.order_by("id")
    passes_version = {"update", "partial_update"}
    subject = "endpoint"
    create_service = staticmethod(services.create_endpoint)
    update_service = staticmethod(services.update_endpoint)
    delete_service = staticmethod(services.delete_endpoint)
    # Their answers hold the secret, which is stored nowhere in the clear.
    not_idempotent = {"create", "rotate_secret"}

    @extend_schema(request=WebhookEndpointInput, responses={201: WebhookSecretSerializer})
    def create(self, request: Request) -> Response:
        """Add an endpoint; the answer shows its secret, this once."""
        endpoint, secret = services.create_endpoint(
            actor=caller(request), **self.parse(WebhookEndpointInput)
        )
        return self.answer({"endpoint": endpoint, "secret": secret}, 201, WebhookSecretSerializer)

    @extend_schema(request=None, responses=WebhookSecretSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Give a new secret; the old one signs beside it for a day."""
        endpoint, secret = services.rotate_secret(actor=caller(request), endpoint=self.get_object())
        return self.answer({"endpoint": endpoint, "secret": secret}, 200, WebhookSecretSerializer)


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
