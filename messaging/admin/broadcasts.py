"""Broadcasts: written, previewed, sent, scheduled and cancelled by staff."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from messaging import services
from messaging.models import Broadcast, BroadcastStatus
from riskops.models.scores import Level
from systemadmin.foundation.admin import ServiceModelAdmin, form_action, service_action
from systemadmin.foundation.caller import caller

SEND = "messaging.send_broadcast"


class CountriesField(forms.CharField):
    """Country codes, separated by commas or spaces."""

    def to_python(self, value: Any) -> Any:
        codes = (super().to_python(value) or "").replace(",", " ").upper().split()
        wrong = [code for code in codes if not (len(code) == 2 and code.isalpha())]
        if wrong:
            raise forms.ValidationError(
                gettext("Not country codes of two letters: %(codes)s.")
                % {"codes": ", ".join(wrong)}
            )
        return codes

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class BroadcastForm(forms.ModelForm):
    """A broadcast with its audience; leaving a filter empty means everyone."""

    roles = forms.MultipleChoiceField(
        label=_("roles"), required=False, widget=forms.CheckboxSelectMultiple
    )
    countries = CountriesField(
        label=_("countries"), required=False, help_text=_("For example: ES, FR")
    )
    risk_levels = forms.MultipleChoiceField(
        label=_("risk levels"), required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Broadcast
        fields = ["kind", "title", "body", "roles", "countries", "risk_levels", "is_verified"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Group.objects.order_by("name").values_list("name", flat=True)
        for name, choices in (
            ("roles", [(role, role) for role in names]),
            ("risk_levels", [(level.code, level.label) for level in Level]),
        ):
            if name in self.fields:
                self.fields[name].choices = choices


class ScheduleForm(forms.Form):
    """When to send."""

    at = forms.SplitDateTimeField(label=_("send at (UTC)"), widget=AdminSplitDateTime)


class CancelForm(forms.Form):
    """Why it is stopped."""

    reason = forms.CharField(label=_("reason"), required=False)


class ConfirmForm(forms.Form):
    """A second look before everybody is written to."""

    is_sure = forms.BooleanField(label=_("yes, send it now"))


@admin.register(Broadcast)
class BroadcastAdmin(ServiceModelAdmin):
    """Broadcasts, latest first; only drafts can be changed."""

    form = BroadcastForm
    list_display = [
        "title",
        "kind",
        "status",
        "scheduled_at",
        "recipient_count",
        "delivered_count",
        "finished_at",
    ]
    list_filter = ["status", "kind"]
    ordering = ["-id"]
    actions = ["preview", "send_now", "schedule", "cancel"]
    readonly_fields = [
        "status",
        "scheduled_at",
        "started_at",
        "finished_at",
        "created_by",
        "statistics",
    ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to change a broadcast that is on its way."""
        is_open = obj is None or obj.status == BroadcastStatus.DRAFT
        return is_open and super().has_change_permission(request, obj)

    def create(self, actor: Any, values: dict[str, Any]) -> Broadcast:
        """Create the broadcast as a draft."""
        return services.create_broadcast(actor=actor, **values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> Broadcast:
        """Change the draft; nothing deletes one, cancelling keeps the record."""
        return services.edit_broadcast(actor=actor, broadcast=obj, **values)

    @admin.display(description=_("reached and read"))
    def statistics(self, broadcast: Broadcast) -> str:
        """Return whom it would reach, or whom it reached and who read it."""
        if broadcast.status in (BroadcastStatus.DRAFT, BroadcastStatus.SCHEDULED):
            if broadcast.pk is None:
                return "-"
            return _preview_text(broadcast)
        numbers = services.read_statistics(broadcast)
        return gettext("%(delivered)d of %(recipients)d delivered, %(read)d read") % numbers

    @service_action(description=_("Preview the recipients"), perm=SEND)
    def preview(self, request: HttpRequest, obj: Broadcast) -> None:
        """Say whom it would reach now."""
        self.message_user(request, f"{obj}: {_preview_text(obj)}", messages.INFO)

    @form_action(description=_("Send now"), perm=SEND, form=ConfirmForm)
    def send_now(self, request: HttpRequest, obj: Broadcast, data: dict[str, Any]) -> None:
        """Start delivery."""
        services.send_broadcast(actor=caller(request), broadcast=obj)

    @form_action(description=_("Schedule"), perm=SEND, form=ScheduleForm)
    def schedule(self, request: HttpRequest, obj: Broadcast, data: dict[str, Any]) -> None:
        """Send at a moment."""
        services.schedule_broadcast(actor=caller(request), broadcast=obj, at=data["at"])

    @form_action(description=_("Cancel"), perm=SEND, form=CancelForm)
    def cancel(self, request: HttpRequest, obj: Broadcast, data: dict[str, Any]) -> None:
        """Stop what has not been delivered."""
        services.cancel_broadcast(actor=caller(request), broadcast=obj, reason=data["reason"])


def _preview_text(broadcast: Broadcast) -> str:
    found = services.preview_broadcast(broadcast)
    return gettext("%(count)d recipients (%(telegram)d also by Telegram): %(sample)s…") % {
        "count": found.recipients,
        "telegram": found.by_telegram,
        "sample": ", ".join(found.sample),
    }
