"""Risk scores in the admin: the breakdown to look at, and what staff may do about it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from riskops.admin.charts import breakdown_bars, history_line
from riskops.admin.decisions import AccountDecisions
from riskops.admin.own_account import OthersModelAdmin, back_to_list, refused_for_own
from riskops.models import RiskOutcome, RiskOverride, RiskScore, RiskScoreHistory
from riskops.models.scores import Level
from riskops.scores.explanation import explain
from riskops.scores.factors import FACTOR_TITLES
from systemadmin.foundation.display import display_name
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.services.duties import is_own_case

HISTORY_ROWS = 200
# The decision behind each action of the list.
_ACTS = {
    "override": "riskops.override_score",
    "lift_override": "riskops.remove_override",
    "give_outcome": "riskops.record_outcome",
    "suspend": "systemadmin.suspend_user",
}


def badge(level: int, text: Any) -> str:
    """Return a coloured mark with its level in words, for colour alone tells not everyone."""
    found = Level(level)
    return format_html(
        '<span class="risk-badge risk-{}" title="{}">{}</span>', found.code, found.label, text
    )


@admin.register(RiskScore)
class RiskScoreAdmin(AccountDecisions, OthersModelAdmin):
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
    actions = ["recalculate", "override", "lift_override", "give_outcome", "suspend"]
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

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Do what was chosen; of one's own score say who may."""
        return refused_for_own(self, request, _ACTS) or super().response_action(request, queryset)

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
        is_read = is_whole_number(object_id) and self.has_view_permission(request)
        if is_read and is_own_case(request.user, [int(object_id)]):
            return back_to_list(self, request)
        score = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if score is not None and self.has_view_permission(request, score):
            context |= picture(score, request)
            context["subtitle"] = f"{display_name(score.account)}: {score.score}"
        return super().change_view(request, object_id, form_url, context)


def picture(score: RiskScore, request: Any) -> dict[str, Any]:
    """Return what the template draws: breakdown, history, override."""
    rules = score.ruleset.rules
    reasons = explain(score.breakdown, rules, account=score.pk)
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
class RiskScoreHistoryAdmin(OthersModelAdmin):
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
class RiskOverrideAdmin(OthersModelAdmin):
    """Overrides, those in force first."""

    list_display = ["account", "score", "reason", "created_by", "created_at", "expires_at"]
    list_filter = [("ended_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "created_by"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-id"]


@admin.register(RiskOutcome)
class RiskOutcomeAdmin(OthersModelAdmin):
    """What accounts turned out to be."""

    fields = ["account", "verdict", "note", "actor", "created_at", "score", "points_then"]
    readonly_fields = ["points_then"]
    list_display = ["account", "verdict", "score", "note", "actor", "created_at"]
    list_filter = ["verdict"]
    list_select_related = ["account", "actor"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-id"]

    @admin.display(description=_("points at that time"))
    def points_then(self, outcome: RiskOutcome) -> str:
        """Return what the score was made of when the verdict was given."""
        lines = format_html_join(
            "",
            "<li>{}: {}</li>",
            (
                (FACTOR_TITLES.get(code, code), f"{points:+d}")
                for code, points, *_rest in outcome.breakdown
            ),
        )
        return format_html("<ul>{}</ul>", lines) if lines else "–"
