"""Webhook endpoints and deliveries over HTTP."""

from typing import Any

from rest_framework import serializers

from systemadmin.foundation.api import StrictSerializer
from systemadmin.foundation.personal_data import sees_personal_data
from systemadmin.foundation.published_events import event_kinds
from systemadmin.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from systemadmin.services.webhooks import body_of

MOST_KINDS = 200


class KindField(serializers.ChoiceField):
    """The name of a kind of event; the kinds of all apps are known once all are loaded."""

    def __init__(self, **options: Any) -> None:
        options.pop("choices", None)
        super().__init__(choices=sorted(event_kinds()), **options)


class WebhookEndpointSerializer(serializers.ModelSerializer):
    """An endpoint; its secret is never shown again."""

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id",
            "url",
            "description",
            "event_types",
            "is_active",
            "disabled_reason",
            "previous_secret_until",
            "created_at",
            "version",
        ]
        read_only_fields = fields


class WebhookSecretSerializer(serializers.Serializer):
    """An endpoint with its new secret, shown this once."""

    endpoint = WebhookEndpointSerializer()
    secret = serializers.CharField()


class WebhookEndpointInput(StrictSerializer):
    """An endpoint to create or change."""

    url = serializers.URLField(max_length=500)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(child=KindField(), required=False, max_length=MOST_KINDS)
    is_active = serializers.BooleanField(required=False)


class WebhookAttemptSerializer(serializers.ModelSerializer):
    """One attempt to deliver a webhook message."""

    class Meta:
        model = WebhookAttempt
        fields = ["number", "status_code", "error", "response_excerpt", "duration_ms", "created_at"]
        read_only_fields = fields


class WebhookDeliverySerializer(serializers.ModelSerializer):
    """A message on its way."""

    message_id = serializers.CharField(source="event.event_id", read_only=True)
    event_type = serializers.CharField(source="event.kind", read_only=True)
    attempts_made = serializers.IntegerField(source="attempts", read_only=True)

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "endpoint",
            "message_id",
            "event_type",
            "status",
            "attempts_made",
            "next_attempt_at",
            "last_error",
            "sent_at",
            "replay_of",
            "created_at",
        ]
        read_only_fields = fields


class WebhookDeliveryDetailSerializer(WebhookDeliverySerializer):
    """A message with its body and every try."""

    body = serializers.SerializerMethodField()
    attempts = WebhookAttemptSerializer(source="log", many=True, read_only=True)

    class Meta(WebhookDeliverySerializer.Meta):
        fields = [*WebhookDeliverySerializer.Meta.fields, "body", "attempts"]
        read_only_fields = fields

    def get_body(self, delivery: WebhookDelivery) -> str:
        """Return what is sent, masked for staff who may not see personal data."""
        request = self.context.get("request")
        return body_of(
            delivery.event, is_masked=not sees_personal_data(getattr(request, "user", None))
        )


class ReplayInput(StrictSerializer):
    """From where on an endpoint gets again what it missed."""

    after = serializers.IntegerField(required=False, min_value=0)
    since = serializers.DateTimeField(required=False)
    everything = serializers.BooleanField(required=False)


class ReplaySerializer(serializers.Serializer):
    """How many events go out again."""

    queued = serializers.IntegerField()


class TestEventInput(StrictSerializer):
    """Which kind's example to send."""

    type = KindField()
