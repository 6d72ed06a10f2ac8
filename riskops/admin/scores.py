"""Risk scores in the admin: the breakdown to look at, and what staff may do about it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from riskops.admin.charts import breakdown_bars, history_line
from riskops.models import RiskOutcome, RiskOverride, RiskScore, RiskScoreHistory
from riskops.models.scores import Level, Verdict
from riskops.scores.calculate import calculate_score
from riskops.scores.explanation import explain
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score, remove_override
from systemadmin.foundation.admin import AtalayaModelAdmin, form_action, service_action

HISTORY_ROWS = 200


class OverrideForm(forms.Form):
    """A score to set, why, and until when."""

    score = forms.IntegerField(label=_("score"), min_value=0, max_value=100)
    reason = forms.CharField(label=_("reason"), max_length=1000, widget=forms.Textarea)
    expires_at = forms.DateTimeField(
        label=_("expires at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class WhyForm(forms.Form):
    """Why."""

    reason = forms.CharField(label=_("reason"), max_length=1000, required=False)


class OutcomeForm(forms.Form):
    """What the account turned out to be."""

    verdict = forms.ChoiceField(label=_("verdict"), choices=Verdict.choices)
    note = forms.CharField(label=_("note"), max_length=1000, required=False)


def badge(level: int, text: Any) -> str:
    """A coloured mark with its level in words, for colour alone tells not everyone."""
    found = Level(level)
    return format_html(
        '<span class="risk-badge risk-{}" title="{}">{}</span>', found.code, found.label, text
    )


@admin.register(RiskScore)
class RiskScoreAdmin(AtalayaModelAdmin):
    """Accounts, riskiest first."""

    list_display = [
        "account",
        "shown_score",
        "shown_level",
        "raw",
        "is_overridden",
        "review_since",
        "calculated_at",
    ]
    list_filter = ["level", ("review_since", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "override"]
    search_fields = ["account__username__istartswith", "account__external_id__istartswith"]
    ordering = ["-score", "-account"]
    actions = ["recalculate", "override", "lift_override", "give_outcome"]
    change_form_template = "admin/riskops/riskscore/change_form.html"
    fields = [
        "account",
        "score",
        "level",
        "computed",
        "raw",
        "ruleset",
        "hold_until",
        "calculated_at",
        "changes_at",
        "review_since",
    ]

    class Media:
        css = {"all": ["riskops/risk.css"]}

    @admin.display(description=_("score"), ordering="score")
    def shown_score(self, score: RiskScore) -> str:
        return badge(score.level, score.score)

    @admin.display(description=_("level"), ordering="level")
    def shown_level(self, score: RiskScore) -> Any:
        return Level(score.level).label

    @admin.display(description=_("override"), boolean=True)
    def is_overridden(self, score: RiskScore) -> bool:
        return score.override_id is not None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        score = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if score is not None and self.has_view_permission(request, score):
            context |= picture(score, request)
        return super().change_view(request, object_id, form_url, context)

    @service_action(description=_("Recalculate"), perm="riskops.calculate_riskscore")
    def recalculate(self, request: Any, obj: RiskScore) -> None:
        calculate_score(account=obj.account, actor=request.user)

    @form_action(
        description=_("Override the score…"), perm="riskops.override_riskscore", form=OverrideForm
    )
    def override(self, request: Any, obj: RiskScore, data: dict[str, Any]) -> None:
        override_score(
            actor=request.user,
            account=obj.account,
            score=data["score"],
            reason=data["reason"],
            expires_at=data["expires_at"],
        )

    @form_action(
        description=_("Remove the override…"), perm="riskops.override_riskscore", form=WhyForm
    )
    def lift_override(self, request: Any, obj: RiskScore, data: dict[str, Any]) -> None:
        remove_override(actor=request.user, account=obj.account, reason=data["reason"])

    @form_action(
        description=_("Record an outcome…"), perm="riskops.record_riskoutcome", form=OutcomeForm
    )
    def give_outcome(self, request: Any, obj: RiskScore, data: dict[str, Any]) -> None:
        record_outcome(
            actor=request.user,
            account=obj.account,
            verdict=data["verdict"],
            note=data["note"],
        )


def picture(score: RiskScore, request: Any) -> dict[str, Any]:
    """What the template draws: breakdown, history, override."""
    rules = score.ruleset.rules
    reasons = explain(score.breakdown, rules)
    rows: list[Any] = []
    if request.user.has_perm("riskops.view_riskscorehistory"):
        newest = RiskScoreHistory.objects.of_account(score.pk)[:HISTORY_ROWS]
        rows = list(newest)[::-1]
    return {
        "reasons": reasons,
        "chart": breakdown_bars(reasons),
        "line": history_line(rows, rules.level_bounds, timezone.now()),
        "history": [(row, badge(row.level, row.score)) for row in rows[::-1][:25]],
        "score_badge": badge(score.level, score.score),
        "level_title": Level(score.level).label,
        "override": score.override,
    }


@admin.register(RiskScoreHistory)
class RiskScoreHistoryAdmin(AtalayaModelAdmin):
    """Every change of every score."""

    list_display = ["at", "account", "previous_score", "shown_score", "cause", "actor", "ruleset"]
    list_filter = ["cause", "level"]
    list_select_related = ["account", "actor", "ruleset"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-id"]

    class Media:
        css = {"all": ["riskops/risk.css"]}

    @admin.display(description=_("score"))
    def shown_score(self, row: RiskScoreHistory) -> str:
        return badge(row.level, row.score)


@admin.register(RiskOverride)
class RiskOverrideAdmin(AtalayaModelAdmin):
    """Overrides, those in force first."""

    list_display = ["account", "score", "reason", "created_by", "created_at", "expires_at"]
    list_filter = [("ended_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "created_by"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-id"]


@admin.register(RiskOutcome)
class RiskOutcomeAdmin(AtalayaModelAdmin):
    """What accounts turned out to be."""

    list_display = ["account", "verdict", "score", "note", "actor", "created_at"]
    list_filter = ["verdict"]
    list_select_related = ["account", "actor"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-id"]
