"""Webhook endpoints and deliveries over HTTP."""

from rest_framework import serializers

from marketplace.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from marketplace.services.announcements import EVENT_TYPES
from systemadmin.foundation.api import StrictSerializer


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
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=EVENT_TYPES),
        required=False,
        max_length=len(EVENT_TYPES),
    )
    is_active = serializers.BooleanField(required=False)


class WebhookAttemptSerializer(serializers.ModelSerializer):
    """One try."""

    class Meta:
        model = WebhookAttempt
        fields = ["number", "status_code", "error", "response_excerpt", "duration_ms", "created_at"]
        read_only_fields = fields


class WebhookDeliverySerializer(serializers.ModelSerializer):
    """A message on its way."""

    message_id = serializers.CharField(source="message.message_id", read_only=True)
    event_type = serializers.CharField(source="message.event_type", read_only=True)
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

    body = serializers.CharField(source="message.body", read_only=True)
    attempts = WebhookAttemptSerializer(source="log", many=True, read_only=True)

    class Meta(WebhookDeliverySerializer.Meta):
        fields = [*WebhookDeliverySerializer.Meta.fields, "body", "attempts"]
        read_only_fields = fields
