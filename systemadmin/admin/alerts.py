"""Alerts, their rules, silences and delivery log in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.alert_words import AREAS, metric_title, metric_words, name_accounts
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ServiceModelAdmin,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.display import display_name
from systemadmin.models import Alert, AlertNotice, AlertRule, AlertSilence
from systemadmin.services.alert_delivery import resend_notice
from systemadmin.services.alert_rules import (
    delete_alert_rule,
    save_alert_rule,
    send_test_alert,
)
from systemadmin.services.alerts import acknowledge_alert, resolve_by_hand, silence_alert


class NoteForm(forms.Form):
    """An optional note."""

    note = forms.CharField(label=_("Note"), required=False, max_length=1000)


class SilenceForm(forms.Form):
    """Until when and why."""

    until = forms.DateTimeField(
        label=_("Until (UTC)"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    reason = forms.CharField(label=_("Reason"), max_length=300)


class AreaFilter(admin.SimpleListFilter):
    """Filter alerts by where they come from."""

    title = _("area")
    parameter_name = "area"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(AREAS.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        area = self.value()
        return queryset.filter(rule__startswith=area) if area in AREAS else queryset


@admin.register(Alert)
class AlertAdmin(AtalayaModelAdmin):
    """What fired, how often, and whether someone took it."""

    list_display = ["headline", "about", "severity", "status", "count", "last_seen_at"]
    list_filter = ["status", "severity", AreaFilter]
    search_fields = ["summary__icontains", "key__icontains", "rule__startswith"]
    exclude = ["summary", "detail", "facts", "told_status", "told_at"]
    readonly_fields = ["headline", "about", "explanation"]
    actions = ["acknowledge", "silence", "resolve"]

    @admin.display(description=_("summary"), ordering="summary")
    def headline(self, obj: Alert) -> str:
        """Say what happened, in the reader's language."""
        return obj.headline

    @admin.display(description=_("account"))
    def about(self, obj: Alert) -> Any:
        """Name the account that it is about, with a link to the page that the reader may open."""
        if obj.account is None:
            return "-"
        return format_html('<a href="{}">{}</a>', obj.account_page, display_name(obj.account))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list with the accounts of the alerts that it shows, in one query."""
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        name_accounts(found.result_list, request.user)
        return found

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return the alert with its account."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            name_accounts([found], request.user)
        return found

    @admin.display(description=_("detail"))
    def explanation(self, obj: Alert) -> str:
        """Say more, in the reader's language."""
        return obj.explanation

    @form_action(description=_("Acknowledge"), perm="systemadmin.change_alert", form=NoteForm)
    def acknowledge(self, request: HttpRequest, obj: Alert, data: dict[str, Any]) -> None:
        """Acknowledge the alert."""
        acknowledge_alert(actor=caller(request), alert=obj, note=data["note"])

    @form_action(description=_("Silence"), perm="systemadmin.change_alert", form=SilenceForm)
    def silence(self, request: HttpRequest, obj: Alert, data: dict[str, Any]) -> None:
        """Send no notices of this alert for a while."""
        silence_alert(actor=caller(request), alert=obj, **data)

    @service_action(description=_("Mark as resolved"), perm="systemadmin.change_alert")
    def resolve(self, request: HttpRequest, obj: Alert) -> None:
        """Resolve the alert: it is over."""
        resolve_by_hand(actor=caller(request), alert=obj)


@admin.register(AlertRule)
class AlertRuleAdmin(ServiceModelAdmin):
    """Thresholds that staff may change."""

    list_display = [
        "shown_title",
        "metric_shown",
        "comparison",
        "threshold",
        "for_seconds",
        "severity",
        "is_enabled",
        "last_value",
    ]
    list_filter = ["is_enabled", "severity"]
    readonly_fields = ["breached_since", "last_value"]
    actions = ["send_test"]

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, obj: AlertRule) -> str:
        """Say the title of a shipped rule in the reader's language."""
        return gettext(obj.title)

    @admin.display(description=_("metric"), ordering="metric")
    def metric_shown(self, obj: AlertRule) -> str:
        """Say in words what is counted."""
        return metric_title(obj.metric)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the metrics that there are in words, so that nobody has to know their names."""
        if db_field.name != "metric":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        words = sorted(metric_words().items(), key=lambda one: one[1])
        return forms.ChoiceField(label=capfirst(db_field.verbose_name), choices=words)

    def create(self, actor: Any, values: dict[str, Any]) -> AlertRule:
        """Add the alert rule by its service."""
        return save_alert_rule(actor=actor, values=values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> AlertRule:
        """Change the alert rule by its service."""
        return save_alert_rule(actor=actor, rule=obj, values=values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete it and end its alert."""
        delete_alert_rule(actor=actor, rule=obj)

    @service_action(description=_("Send a test alert"), perm="systemadmin.change_alertrule")
    def send_test(self, request: HttpRequest, obj: AlertRule) -> None:
        """Raise an alert as this rule would."""
        send_test_alert(actor=caller(request), rule=obj)


@admin.register(AlertSilence)
class AlertSilenceAdmin(AtalayaModelAdmin):
    """Who silenced what until when."""

    list_display = ["rule", "key", "until", "reason", "created_by"]


@admin.register(AlertNotice)
class AlertNoticeAdmin(AtalayaModelAdmin):
    """The delivery log."""

    list_display = ["created_at", "channel", "status", "attempts", "sent_at", "last_error"]
    list_filter = ["status", "channel"]
    actions = ["resend"]

    @service_action(description=_("Send again"), perm="systemadmin.change_alert")
    def resend(self, request: HttpRequest, obj: AlertNotice) -> None:
        """Another round of attempts for each."""
        resend_notice(actor=request.user, notice=obj)
