"""What-if and calibration: rules tried before they are published, and judged by outcomes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _

from riskops.models import RiskOutcome, RiskRuleset, RulesetTrial
from riskops.models.scores import Verdict
from riskops.scores.calibration import ENOUGH, Judged, factor_figures, score_bins
from riskops.scores.learn import draft_learned_rules
from riskops.scores.preview import BINS, Preview, preview_ruleset
from riskops.scores.replay import Crossing
from riskops.scores.rules import LEVEL_TITLES, LEVELS, Ruleset
from riskops.scores.rulesets import (
    change_draft,
    current_ruleset,
    draft_ruleset,
    publish_ruleset,
)
from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.caller import caller
from systemadmin.foundation.display import display_name
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.models import User

HOUR = 3600
DRAFTS_SHOWN = 20
WIDTH, HEIGHT, FOOT = 640, 160, 18


@admin.register(RulesetTrial)
class RulesetTrialAdmin(AtalayaModelAdmin):
    """The what-if page in place of a list."""

    def get_urls(self) -> list[Any]:
        """Return the second page beside it."""
        guard = self.admin_site.admin_view
        own = [path("calibration/", guard(self.calibration), name="riskops_calibration")]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Edit the rules in force or a draft, see what would change, publish."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        draft = chosen_draft(request)
        rules = (draft or current_ruleset()).rules
        context: dict[str, Any] = {
            "may_publish": self._may_publish(request),
            "draft": draft,
            "drafts": RiskRuleset.objects.drafts().order_by("-pk")[:DRAFTS_SHOWN],
        }
        definition = rules.to_dict()
        if request.method == "POST":
            definition = read_form(request.POST, rules)
            try:
                if "publish" in request.POST:
                    return self._publish(request, definition, draft)
                context |= shown_preview(preview_ruleset(definition, viewer=caller(request)))
            except DomainError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
        context["factors"] = factor_rows(definition, rules)
        context["definition"] = definition
        return self._page(request, "admin/riskops/rulesettrial/what_if.html", _("What-if"), context)

    def _may_publish(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["riskops.add_riskruleset", "riskops.publish_riskruleset"])

    def _publish(
        self, request: HttpRequest, definition: dict[str, Any], draft: RiskRuleset | None
    ) -> HttpResponse:
        if not self._may_publish(request):
            raise PermissionDenied
        note = request.POST.get("note", "")[:400]
        draft = save_trial(caller(request), draft, definition, note)
        published = publish_ruleset(actor=caller(request), ruleset=draft, note=note)
        text = _("%(ruleset)s is in force; every account is scored with it.")
        self.message_user(request, text % {"ruleset": published}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:riskops_rulesettrial_changelist"))

    def calibration(self, request: HttpRequest) -> HttpResponse:
        """Return how scores and factors agree with what staff found."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_learn = request.user.has_perm("riskops.add_riskruleset")
        if request.method == "POST":
            if not may_learn:
                raise PermissionDenied
            try:
                return self._learn(request)
            except DomainError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
        rules = current_ruleset().rules
        judged = judged_accounts()
        context = {
            "may_learn": may_learn,
            "bins": score_bins(judged),
            "figures": [
                {"title": rules.factor(one.code).title, "figure": one}
                for one in factor_figures(judged, {f.code: f.points for f in rules.factors})
            ],
            "fraud": sum(one.fraud for one in judged),
            "judged": len(judged),
            "enough": ENOUGH,
        }
        page = "admin/riskops/rulesettrial/calibration.html"
        return self._page(request, page, _("Calibration"), context)

    def _learn(self, request: HttpRequest) -> HttpResponse:
        """Draft learned points and show the draft with what they are worth."""
        found, draft = draft_learned_rules(actor=request.user)  # type: ignore[arg-type]
        text = _(
            "Learned from %(accounts)s outcomes. On %(apart)s accounts kept apart the average "
            "precision is %(after).2f; with the rules in force it is %(before).2f."
        )
        numbers = {
            "accounts": found.accounts,
            "apart": found.apart,
            "after": found.after.average_precision,
            "before": found.before.average_precision,
        }
        self.message_user(request, text % numbers, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:riskops_riskruleset_change", args=[draft.pk]))

    def _page(
        self, request: HttpRequest, template: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        base = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, template, {**base, **context})


def chosen_draft(request: HttpRequest) -> RiskRuleset | None:
    """Return the draft that the address names, None where it names none; `Http404` if unknown."""
    named = request.GET.get("ruleset", "")
    if not named:
        return None
    try:
        return RiskRuleset.objects.drafts().get(pk=parse_whole_number(named))
    except (Unreadable, RiskRuleset.DoesNotExist):
        raise Http404 from None


def save_trial(
    actor: User, draft: RiskRuleset | None, definition: dict[str, Any], note: str
) -> RiskRuleset:
    """Return the draft with the rules on trial: the chosen one, or a new one."""
    if draft is None:
        return draft_ruleset(actor=actor, definition=definition, note=note)
    note = note or draft.note
    return change_draft(actor=actor, ruleset=draft, definition=definition, note=note)


def shown_preview(preview: Preview) -> dict[str, Any]:
    """Return what the page shows of a preview."""
    return {
        "preview": preview,
        "pictures": histogram(preview),
        "levels": levels(preview),
        "crossings": named_crossings(preview.crossings),
    }


def named_crossings(crossings: list[Crossing]) -> list[dict[str, Any]]:
    """Return who would cross, with names and the titles of the levels."""
    accounts = User.objects.in_bulk([one.account for one in crossings])
    return [
        {
            "one": one,
            "name": display_name(accounts[one.account]),
            "level_before": LEVEL_TITLES[one.level_before],
            "level_after": LEVEL_TITLES[one.level_after],
        }
        for one in crossings
        if one.account in accounts
    ]


def judged_accounts() -> list[Judged]:
    """Return the latest outcome of each account, with the score it had then."""
    rows = RiskOutcome.objects.filter(score__isnull=False).order_by("created_at", "pk")
    latest = {
        account: Judged(
            score=score or 0,
            points={line[0]: line[1] for line in breakdown},
            fraud=verdict == Verdict.CONFIRMED_FRAUD,
        )
        for account, verdict, score, breakdown in rows.values_list(
            "account_id", "verdict", "score", "breakdown"
        )
    }
    return list(latest.values())


def _number(text: str | None, default: int | None) -> int | None:
    """Return a whole number out of a form; an empty field is none, nonsense is refused later."""
    if text is None:
        return default
    text = text.strip()
    if not text:
        return None
    try:
        return parse_whole_number(text, -(10**9) + 1, 10**9 - 1)
    except Unreadable:
        return -(10**9)


def read_form(post: Any, rules: Ruleset) -> dict[str, Any]:
    """Return the rules in force with what the form says."""
    definition = rules.to_dict()
    for row in definition["factors"]:
        code = row["code"]
        for name in ("points", "cap", "over"):
            row[name] = _number(post.get(f"{code}-{name}"), row[name])
        if row["window"] is not None:
            hours = _number(post.get(f"{code}-hours"), row["window"] // HOUR)
            row["window"] = None if hours is None else hours * HOUR
        row["enabled"] = f"{code}-enabled" in post
    definition["alert_threshold"] = _number(
        post.get("alert_threshold"), definition["alert_threshold"]
    )
    return definition


def factor_rows(definition: dict[str, Any], rules: Ruleset) -> list[dict[str, Any]]:
    """Return the factors as the form shows them."""
    return [
        {
            **row,
            "title": rules.factor(row["code"]).title,
            "is_by_steps": row["mode"] == "steps",
            "hours": None if row["window"] is None else row["window"] // HOUR,
        }
        for row in definition["factors"]
        if row["code"] in rules.codes
    ]


def histogram(preview: Preview) -> dict[str, Any]:
    """Return two bars a bin, before and after, as numbers for an SVG; heights by square root.

    Most accounts have low scores: on a plain scale the risky ones would be invisible.
    """
    top = max([*preview.histogram_before, *preview.histogram_after, 1]) ** 0.5
    step = WIDTH / BINS
    bars = []
    for position in range(BINS):
        for kind, counts, shift in (
            ("before", preview.histogram_before, 0.08),
            ("after", preview.histogram_after, 0.5),
        ):
            height = HEIGHT * counts[position] ** 0.5 / top
            bars.append(
                {
                    "kind": kind,
                    "x": round((position + shift) * step, 1),
                    "y": round(HEIGHT - height, 1),
                    "width": round(step * 0.42, 1),
                    "height": round(height, 1),
                    "count": counts[position],
                    "low": position * 100 // BINS,
                }
            )
    ticks = [{"x": round(score * WIDTH / 100, 1), "score": score} for score in range(0, 101, 20)]
    return {"bars": bars, "ticks": ticks, "width": WIDTH, "height": HEIGHT, "full": HEIGHT + FOOT}


def levels(preview: Preview) -> list[tuple[Any, int, int]]:
    """Return accounts at each level before and after."""
    titles = [LEVEL_TITLES[level] for level in LEVELS]
    return list(zip(titles, preview.levels_before, preview.levels_after, strict=True))
