"""Webhook endpoints and their delivery log in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from marketplace.services.announcements import EVENT_TYPES
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    ServiceModelAdmin,
    service_action,
)
from systemadmin.foundation.caller import caller


class EndpointForm(forms.ModelForm):
    """Where to send, and what."""

    url = forms.URLField(max_length=500, label=_("Address"), assume_scheme="https")
    event_types = forms.MultipleChoiceField(
        choices=[(name, name) for name in EVENT_TYPES],
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
    """Where messages go."""

    form = EndpointForm
    list_display = ["url", "description", "is_active", "disabled_reason", "created_at"]
    list_filter = ["is_active"]
    actions = ["rotate"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Show the new secret, this once."""
        super().save_model(request, obj, form, change)
        secret = getattr(obj, "shown_secret", None)
        if secret:
            messages.warning(request, _secret_text(secret))

    def create(self, actor: Any, values: dict[str, Any]) -> WebhookEndpoint:
        """Add it with a new secret."""
        endpoint, secret = services.create_endpoint(actor=actor, **values)
        endpoint.shown_secret = secret
        return endpoint

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> WebhookEndpoint:
        """Change it."""
        return services.update_endpoint(actor=actor, endpoint=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete with its log."""
        services.delete_endpoint(actor=actor, endpoint=obj)

    @service_action(description=_("Give a new secret"), perm="marketplace.change_webhookendpoint")
    def rotate(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        """The old one signs beside it for a day."""
        _endpoint, secret = services.rotate_secret(actor=caller(request), endpoint=obj)
        messages.warning(request, _secret_text(secret))


def _secret_text(secret: str) -> str:
    return _t("Copy the secret now, it is not shown again: %(secret)s") % {"secret": secret}


class AttemptInline(ReadOnlyInline):
    """Every try."""

    model = WebhookAttempt
    fields = ["number", "created_at", "status_code", "error", "duration_ms", "response_excerpt"]
    readonly_fields: Any = fields
    show_change_link = False


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(AtalayaModelAdmin):
    """The log."""

    list_display = [
        "message",
        "endpoint",
        "status",
        "attempts",
        "next_attempt_at",
        "sent_at",
    ]
    list_filter = ["status", "endpoint"]
    list_select_related = ["message", "endpoint"]
    search_fields = ["message__message_id__exact"]
    ordering = ["-id"]
    inlines = [AttemptInline]
    fields = ["message", "endpoint", "status", "attempts", "next_attempt_at", "last_error", "body"]
    readonly_fields = ["body"]
    actions = ["replay"]

    @admin.display(description=_("body"))
    def body(self, delivery: WebhookDelivery) -> str:
        """What is sent."""
        return delivery.message.body

    @service_action(description=_("Send again"), perm="marketplace.replay_webhookdelivery")
    def replay(self, request: HttpRequest, obj: WebhookDelivery) -> None:
        """The same message, with a log of its own."""
        services.replay_delivery(actor=caller(request), delivery=obj)
