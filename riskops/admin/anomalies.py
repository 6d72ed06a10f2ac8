"""Anomalies, their rules and exemptions in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from riskops.admin.anomaly_rule_form import (
    PLAIN,
    AnomalyRuleForm,
    parameter_fields,
    parameter_rows,
)
from riskops.admin.links import account_link
from riskops.anomalies.evidence import evidence_rows
from riskops.anomalies.handling import (
    change_rule,
    create_rule,
    delete_rule,
    end_exemption,
    exempt_account,
    reopen_anomaly,
    resolve_anomaly,
)
from riskops.models import (
    Anomaly,
    AnomalyExemption,
    AnomalyHit,
    AnomalyRule,
    AnomalyStatus,
    Outcome,
)
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    ServiceModelAdmin,
    form_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version


class ResolveForm(forms.Form):
    """What it turned out to be."""

    outcome = forms.ChoiceField(label=_("Outcome"), choices=Outcome.choices)
    note = forms.CharField(label=_("Note"), max_length=1000, required=False, widget=forms.Textarea)


class WhyForm(forms.Form):
    """Ask for an optional note with the reason."""

    note = forms.CharField(label=_("Note"), max_length=1000, required=False)


class HitInline(ReadOnlyInline):
    """Each time the rule struck."""

    model = AnomalyHit
    fields = ["at", "key", "evidence"]
    ordering = ["-at", "-id"]
    show_change_link = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the anomaly."""
        return bool(request.user.has_perm("riskops.view_anomaly"))


def rule_title(rule: AnomalyRule) -> str:
    """Return what a rule looks for in words, with its code where staff gave it one."""
    title = str(rule.get_detector_display())
    return title if rule.code == rule.detector else f"{title} ({rule.code})"


class RuleFilter(admin.RelatedFieldListFilter):
    """Which rule, in words."""

    def field_choices(self, field: Any, request: Any, model_admin: Any) -> list[Any]:
        """Return the rules with their titles."""
        return [(rule.pk, rule_title(rule)) for rule in AnomalyRule.objects.order_by("code")]


@admin.register(Anomaly)
class AnomalyAdmin(AtalayaModelAdmin):
    """What the rules found."""

    list_display = ["shown_rule", "who", "severity", "status", "hits", "last_hit_at", "outcome"]
    list_filter = ["status", "severity", ("rule", RuleFilter), "outcome"]
    list_select_related = ["rule", "account"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-detected_at", "-id"]
    readonly_fields = ["who", "seen"]
    fields = [
        "rule",
        "who",
        "severity",
        "status",
        "hits",
        "first_hit_at",
        "last_hit_at",
        "detected_at",
        "seen",
        "outcome",
        "note",
        "resolved_by",
        "resolved_at",
    ]
    inlines = [HitInline]
    actions = ["resolve", "reopen"]

    @admin.display(description=_("rule"), ordering="rule")
    def shown_rule(self, obj: Anomaly) -> str:
        """Return what the rule looks for."""
        return rule_title(obj.rule)

    @admin.display(description=_("account"))
    def who(self, obj: Anomaly) -> str:
        """Return a link to the account's page."""
        return account_link(obj.account_id, obj.account)

    @admin.display(description=_("evidence"))
    def seen(self, obj: Anomaly) -> str:
        """Return what was seen at the latest hit."""
        lines = format_html_join("", "<li>{}: {}</li>", evidence_rows(obj.evidence))
        return format_html("<ul>{}</ul>", lines)

    @form_action(
        description=_("Resolve with an outcome"),
        perm="riskops.resolve_anomaly",
        form=ResolveForm,
        applies=lambda anomaly: anomaly.status == AnomalyStatus.OPEN,
    )
    def resolve(self, request: HttpRequest, obj: Anomaly, data: dict[str, Any]) -> None:
        """One service call an anomaly."""
        resolve_anomaly(
            actor=caller(request), anomaly=obj, expected_version=read_version(obj), **data
        )

    @form_action(
        description=_("Take the outcome back"),
        perm="riskops.resolve_anomaly",
        form=WhyForm,
        applies=lambda anomaly: anomaly.status == AnomalyStatus.RESOLVED,
    )
    def reopen(self, request: HttpRequest, obj: Anomaly, data: dict[str, Any]) -> None:
        """One service call an anomaly."""
        reopen_anomaly(
            actor=caller(request), anomaly=obj, expected_version=read_version(obj), **data
        )


@admin.register(AnomalyRule)
class AnomalyRuleAdmin(ServiceModelAdmin):
    """The rules, with how often each was right."""

    form = AnomalyRuleForm
    readonly_fields = ["numbers"]
    list_display = [
        "code",
        "detector",
        "severity",
        "points",
        "action",
        "is_enabled",
        "waiting",
        "precision",
    ]
    list_filter = ["is_enabled", "severity"]
    ordering = ["code"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the rule, and each number of its detector."""
        numbers = parameter_fields(obj)
        rows: list[Any] = [(None, {"fields": list(PLAIN)})]
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": [*PLAIN, "numbers"]})]
        return [*rows, (_("Numbers"), {"fields": numbers})] if numbers else rows

    @admin.display(description=_("numbers"))
    def numbers(self, obj: Any) -> str:
        """Return each number of the detector by its title."""
        return format_html_join("", "<p>{}: {}</p>", parameter_rows(obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with precision."""
        return AnomalyRule.objects.with_precision().order_by("code")

    @admin.display(description=_("open"))
    def waiting(self, obj: Any) -> int:
        """Open anomalies."""
        return int(obj.open_count)

    @admin.display(description=_("precision"))
    def precision(self, obj: Any) -> str:
        """Share of resolved anomalies that were confirmed or valuable."""
        if not obj.resolved_count:
            return "–"
        return f"{100 * obj.right_count / obj.resolved_count:.0f} % / {obj.resolved_count}"

    def create(self, actor: Any, values: dict[str, Any]) -> AnomalyRule:
        """Add the anomaly rule by its service."""
        return create_rule(actor=actor, values=values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> AnomalyRule:
        """Change the anomaly rule by its service."""
        return change_rule(actor=actor, rule=obj, values=values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete one that never found anything."""
        delete_rule(actor=actor, rule=obj)


class ExemptionForm(forms.ModelForm):
    """Which account, which rule, why, until when."""

    class Meta:
        model = AnomalyExemption
        fields = ["rule", "account", "reason", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:
            self.fields["expires_at"].required = False
            self.fields["expires_at"].help_text = _(
                "Empty: after the days of the setting riskops.exemption_days."
            )


@admin.register(AnomalyExemption)
class AnomalyExemptionAdmin(ServiceModelAdmin):
    """Accounts that a rule leaves alone; an exemption is ended and given anew, never changed."""

    form = ExemptionForm
    list_display = ["rule", "account", "reason", "expires_at", "created_by"]
    list_filter = ["rule"]
    list_select_related = ["rule", "account", "created_by"]
    autocomplete_fields = ["account"]
    ordering = ["-id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may exempt may end it."""
        return bool(request.user.has_perm("riskops.add_anomalyexemption"))

    def create(self, actor: Any, values: dict[str, Any]) -> AnomalyExemption:
        """Exempt the account."""
        return exempt_account(actor=actor, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """End the exemption."""
        end_exemption(actor=actor, rule=obj.rule, account=obj.account)
