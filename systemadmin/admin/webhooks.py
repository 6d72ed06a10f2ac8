"""Webhook endpoints and their delivery log in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    ServiceModelAdmin,
    service_action,
)
from systemadmin.foundation.admin.masked import KnowsReader, reader_sees
from systemadmin.foundation.caller import caller
from systemadmin.foundation.published_events import event_kinds
from systemadmin.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from systemadmin.services import event_replay, webhooks


class EndpointForm(forms.ModelForm):
    """Where to send, and what."""

    url = forms.URLField(max_length=500, label=_("Address"), assume_scheme="https")
    event_types = forms.MultipleChoiceField(
        choices=lambda: [(name, name) for name in event_kinds()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Events"),
        help_text=_("None ticked means all."),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["url", "description", "event_types", "is_active"]


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ServiceModelAdmin):
    """Edit the addresses that webhook messages are sent to."""

    form = EndpointForm
    list_display = ["url", "description", "is_active", "disabled_reason", "owner", "created_at"]
    list_select_related = ["owner"]
    list_filter = ["is_active"]
    actions = ["rotate", "test"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Show the new secret, this once."""
        super().save_model(request, obj, form, change)
        secret = getattr(obj, "shown_secret", None)
        if secret:
            messages.warning(request, _secret_text(secret))

    def create(self, actor: Any, values: dict[str, Any]) -> WebhookEndpoint:
        """Add it with a new secret."""
        endpoint, secret = webhooks.create_endpoint(actor=actor, **values)
        endpoint.shown_secret = secret
        return endpoint

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> WebhookEndpoint:
        """Change the webhook endpoint by its service."""
        return webhooks.update_endpoint(actor=actor, endpoint=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the endpoint with its deliveries."""
        webhooks.delete_endpoint(actor=actor, endpoint=obj)

    @service_action(description=_("Give a new secret"), perm="systemadmin.change_webhookendpoint")
    def rotate(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        """Replace the secret; the old one signs beside it for a day."""
        _endpoint, secret = webhooks.rotate_secret(actor=caller(request), endpoint=obj)
        messages.warning(request, _secret_text(secret))

    @service_action(description=_("Send a test event"), perm="systemadmin.replay_webhookdelivery")
    def test(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        """The example of the first kind that it wants."""
        kind = (obj.event_types or sorted(event_kinds()))[0]
        event_replay.send_test_event(actor=caller(request), endpoint=obj, kind=kind)


def _secret_text(secret: str) -> str:
    return gettext("Copy the secret now, it is not shown again: %(secret)s") % {"secret": secret}


class AttemptInline(ReadOnlyInline):
    """List every attempt of a delivery with its result."""

    model = WebhookAttempt
    fields = ["number", "created_at", "status_code", "error", "duration_ms", "response_excerpt"]
    readonly_fields: Any = fields
    show_change_link = False


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(KnowsReader, AtalayaModelAdmin):
    """List deliveries of webhooks with their attempts."""

    list_display = [
        "event",
        "endpoint",
        "status",
        "attempts",
        "next_attempt_at",
        "sent_at",
    ]
    list_filter = ["status", "endpoint"]
    list_select_related = ["event", "endpoint"]
    search_fields = ["event__event_id__exact"]
    ordering = ["-id"]
    inlines = [AttemptInline]
    fields = ["event", "endpoint", "status", "attempts", "next_attempt_at", "last_error", "body"]
    readonly_fields = ["body"]
    actions = ["replay"]

    @admin.display(description=_("body"))
    def body(self, delivery: WebhookDelivery) -> str:
        """Return what is sent, masked for staff who may not see personal data."""
        return webhooks.body_of(delivery.event, is_masked=not reader_sees(delivery))

    @service_action(description=_("Send again"), perm="systemadmin.replay_webhookdelivery")
    def replay(self, request: HttpRequest, obj: WebhookDelivery) -> None:
        """Send the same message again, with a log of its own."""
        event_replay.replay_delivery(actor=caller(request), delivery=obj)
