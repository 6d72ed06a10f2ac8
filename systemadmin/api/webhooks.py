"""Webhook endpoints and their delivery log for staff."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.api.webhook_serializers import (
    ReplayInput,
    ReplaySerializer,
    TestEventInput,
    WebhookDeliveryDetailSerializer,
    WebhookDeliverySerializer,
    WebhookEndpointInput,
    WebhookEndpointSerializer,
    WebhookSecretSerializer,
)
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    ServiceCrudViewSet,
    StaffViewSet,
    StrictFilterSet,
    crud_access,
)
from systemadmin.foundation.caller import caller
from systemadmin.models import WebhookDelivery, WebhookEndpoint
from systemadmin.services import event_replay, webhooks


class WebhookEndpointViewSet(ServiceCrudViewSet):
    """`/api/admin/webhook-endpoints`: where messages go."""

    access = {
        **crud_access("systemadmin.webhookendpoint"),
        "rotate_secret": "systemadmin.change_webhookendpoint",
        "replay": "systemadmin.replay_webhookdelivery",
        "test": "systemadmin.replay_webhookdelivery",
    }
    serializer_class = WebhookEndpointSerializer
    input_class = WebhookEndpointInput
    queryset = WebhookEndpoint.objects.order_by("id")
    passes_version = {"update", "partial_update"}
    subject = "endpoint"
    create_service = staticmethod(webhooks.create_endpoint)
    update_service = staticmethod(webhooks.update_endpoint)
    delete_service = staticmethod(webhooks.delete_endpoint)
    # Their answers hold the secret, which is stored nowhere in the clear.
    not_idempotent = {"create", "rotate_secret"}

    @extend_schema(request=WebhookEndpointInput, responses={201: WebhookSecretSerializer})
    def create(self, request: Request) -> Response:
        """Add an endpoint; the answer shows its secret, this once."""
        endpoint, secret = webhooks.create_endpoint(
            actor=caller(request), **self.parse(WebhookEndpointInput)
        )
        return self.answer({"endpoint": endpoint, "secret": secret}, 201, WebhookSecretSerializer)

    @extend_schema(request=None, responses=WebhookSecretSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Give a new secret; the old one signs beside it for a day."""
        endpoint, secret = webhooks.rotate_secret(actor=caller(request), endpoint=self.get_object())
        return self.answer({"endpoint": endpoint, "secret": secret}, 200, WebhookSecretSerializer)

    @extend_schema(request=ReplayInput, responses={202: ReplaySerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send what the endpoint missed after a number or since a moment."""
        values = self.parse(ReplayInput)
        queued = event_replay.replay_missed(
            actor=caller(request), endpoint=self.get_object(), **values
        )
        return self.answer({"queued": queued}, 202, ReplaySerializer)

    @extend_schema(request=TestEventInput, responses={201: WebhookDeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send the example of a kind, marked as a test."""
        delivery = event_replay.send_test_event(
            actor=caller(request),
            endpoint=self.get_object(),
            kind=self.parse(TestEventInput)["type"],
        )
        return self.answer(delivery, 201, WebhookDeliverySerializer)


class DeliveryFilter(StrictFilterSet):
    """Webhook deliveries."""

    status = django_filters.ChoiceFilter(choices=WebhookDelivery.Status.choices)
    endpoint = django_filters.NumberFilter(field_name="endpoint_id")
    event_type = django_filters.CharFilter(field_name="event__kind")

    class Meta:
        model = WebhookDelivery
        fields: list[str] = []


class WebhookDeliveryViewSet(ListAction, StaffViewSet):
    """`/api/admin/webhook-deliveries`: the log, and sending again."""

    access = {
        "list": "systemadmin.view_webhookdelivery",
        "retrieve": "systemadmin.view_webhookdelivery",
        "replay": "systemadmin.replay_webhookdelivery",
    }
    serializer_class = WebhookDeliverySerializer
    pagination_class = CursorList
    filterset_class = DeliveryFilter
    ordering = ("-id",)
    ordering_fields = ["id"]

    def get_queryset(self) -> QuerySet:
        """Return the deliveries of all endpoints."""
        return WebhookDelivery.objects.select_related("event", "endpoint")

    @extend_schema(responses=WebhookDeliveryDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one delivery with its body and every try."""
        delivery = self.get_object()
        return self.answer(delivery, serializer_class=WebhookDeliveryDetailSerializer)

    @extend_schema(request=None, responses={201: WebhookDeliverySerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send the message again."""
        again = event_replay.replay_delivery(actor=caller(request), delivery=self.get_object())
        return self.answer(again, 201)
