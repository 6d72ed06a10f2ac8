"""Payment services in the admin: where their events come in, and what became of each."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace.models import PaymentEvent, PaymentHook
from marketplace.services import payment_events, payment_hooks
from systemadmin.foundation.admin import AtalayaModelAdmin, ServiceModelAdmin, service_action
from systemadmin.foundation.caller import caller


class PaymentHookForm(forms.ModelForm):
    """How a service signs and speaks."""

    new_secret = forms.CharField(
        label=_("Secret"),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Empty keeps the one there is; a new one is good beside it for a day."),
    )

    class Meta:
        model = PaymentHook
        fields = ["name", "scheme", "mapping", "is_active"]


def _with_secret(values: dict[str, Any]) -> dict[str, Any]:
    """Return the column holds the secret encrypted, so the form has a field of its own for it."""
    return {**values, "secret": values.pop("new_secret", "")}


@admin.register(PaymentHook)
class PaymentHookAdmin(ServiceModelAdmin):
    """Where events come in."""

    form = PaymentHookForm
    list_display = ["name", "scheme", "is_active", "created_at"]
    list_filter = ["scheme", "is_active"]

    def create(self, actor: Any, values: dict[str, Any]) -> PaymentHook:
        """Create the payment hook by its service."""
        return payment_hooks.save_payment_hook(actor=actor, **_with_secret(values))

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> PaymentHook:
        """Change the payment hook by its service."""
        return payment_hooks.save_payment_hook(actor=actor, hook=obj, **_with_secret(values))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only superusers decide whose word on payments is taken, as the service holds."""
        return bool(request.user.is_superuser) and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Its events name it: switch it off instead."""
        return False


@admin.register(PaymentEvent)
class PaymentEventAdmin(AtalayaModelAdmin):
    """The content of the event."""

    list_display = ["event_id", "kind", "hook", "status", "order", "error", "created_at"]
    list_filter = ["status", "hook"]
    list_select_related = ["hook", "order"]
    search_fields = ["event_id__exact", "reference__exact"]
    ordering = ["-id"]
    fields = [
        "hook", "event_id", "kind", "status", "reference", "order", "attempts",
        "next_attempt_at", "error", "done_at", "body",
    ]  # fmt: skip
    actions = ["retry"]

    @service_action(description=_("Try again"), perm="marketplace.retry_paymentevent")
    def retry(self, request: HttpRequest, obj: PaymentEvent) -> None:
        """One that failed or waits."""
        payment_events.retry_payment_event(actor=caller(request), event=obj)
