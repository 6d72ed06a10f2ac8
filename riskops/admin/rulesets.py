"""Risk rulesets in the admin: read, draft from a copy, publish."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from riskops.admin.factor_form import FactorForm, factor_row
from riskops.models import RiskRuleset
from riskops.scores.explanation import duration
from riskops.scores.factors import FACTOR_TITLES, FAMILY_TITLES
from riskops.scores.rules import ACTION_TITLES, LEVEL_TITLES, LEVELS, Ruleset
from riskops.scores.rulesets import change_draft, discard_draft, draft_ruleset, publish_ruleset
from systemadmin.foundation.admin import AtalayaModelAdmin, form_action, service_action
from systemadmin.foundation.errors import InvalidInput


class PublishForm(forms.Form):
    """Why the rules change."""

    note = forms.CharField(label=_("Note"), max_length=400)


class RemoveFactorForm(forms.Form):
    """Which factor goes."""

    code = forms.CharField(label=_("Title or code"), max_length=80)
    note = forms.CharField(label=_("Note"), max_length=400, required=False)


def _shipped_factors() -> list[tuple[str, str]]:
    titles = ((code, str(title)) for code, title in FACTOR_TITLES.items())
    return sorted(titles, key=lambda one: one[1].casefold())


class PointsForm(forms.Form):
    """What a shipped factor gives; what is left empty stays as it is."""

    factor = forms.ChoiceField(label=_("Factor"), choices=_shipped_factors)
    points = forms.IntegerField(label=_("Points"), min_value=-200, max_value=200, required=False)
    cap = forms.IntegerField(label=_("At most"), min_value=0, max_value=200, required=False)
    enabled = forms.ChoiceField(
        label=_("On"),
        choices=[("", _("as it is")), ("yes", _("yes")), ("no", _("no"))],
        required=False,
    )
    note = forms.CharField(label=_("Note"), max_length=400, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        row = {name: data[name] for name in ("points", "cap") if data.get(name) is not None}
        if data.get("enabled"):
            row["enabled"] = data["enabled"] == "yes"
        if not row and not self.errors:
            self.add_error("points", _("Say what changes."))
        data["row"] = row | {"code": data.get("factor")}
        return data


class ChangesForm(forms.Form):
    """What is different, as JSON: only what changes need be given."""

    note = forms.CharField(label=_("Note"), max_length=400, required=False)
    changes = forms.JSONField(
        label=_("changes"),
        help_text=_('For example {"factors": [{"code": "many_ips", "points": 20}]}'),
        widget=forms.Textarea(attrs={"rows": 12, "cols": 80}),
    )


def is_draft(ruleset: RiskRuleset) -> bool:
    """Return whether rules may still be changed, published or discarded."""
    return not ruleset.is_published


def is_named(row: dict[str, Any], name: str) -> bool:
    """Return whether a factor has this code or this title."""
    return name.casefold() in (row["code"], str(row.get("title", "")).casefold())


def trial_page(ruleset: RiskRuleset) -> str:
    """Return the address at which rules are tried on every account."""
    page = reverse("admin:riskops_rulesettrial_changelist")
    return page if ruleset.is_published else f"{page}?ruleset={ruleset.pk}"


def _page(ruleset: RiskRuleset) -> str:
    return reverse("admin:riskops_riskruleset_change", args=[ruleset.pk])


def with_changes(definition: dict[str, Any], changes: Any) -> dict[str, Any]:
    """Return a definition with changes laid over it; factors are matched by their code."""
    if not isinstance(changes, dict):
        return {"definition": changes}
    merged = {**definition, **changes}
    given = changes.get("factors")
    if isinstance(given, list) and all(isinstance(row, dict) for row in given):
        merged["factors"] = _merged_factors(definition.get("factors", []), given)
    for key in ("family_caps", "actions"):
        if isinstance(changes.get(key), dict):
            merged[key] = {**definition.get(key, {}), **changes[key]}
    return merged


def _merged_factors(
    present: list[dict[str, Any]], given: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the present factors with the given values, then the factors that are new."""
    new = {row.get("code"): row for row in given}
    known = {row["code"] for row in present}
    changed = [{**row, **new.get(row["code"], {})} for row in present]
    return changed + [row for code, row in new.items() if code not in known]


@admin.register(RiskRuleset)
class RiskRulesetAdmin(AtalayaModelAdmin):
    """Versions of the rules, the one in force on top."""

    list_display = ["__str__", "note", "published_at", "published_by", "created_by"]
    list_select_related = ["published_by", "created_by"]
    list_filter = [("published_at", admin.EmptyFieldListFilter)]
    ordering = ["-id"]
    actions = [
        "copy",
        "change_points",
        "write_factor",
        "remove_factor",
        "change_document",
        "publish",
        "discard",
    ]
    change_form_template = "admin/riskops/riskruleset/change_form.html"
    fields = ["number", "note", "created_by", "published_by", "published_at"]

    class Media:
        css = {"all": ["riskops/risk.css"]}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        ruleset = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if ruleset is not None:
            context |= table(ruleset.rules)
            context["trial"] = trial_page(ruleset)
            context["definition"] = json.dumps(ruleset.definition, indent=1)
        answer = super().change_view(request, object_id, form_url, context)
        # A new copy is worked on next.
        draft = getattr(request, "new_draft", None)
        return HttpResponseRedirect(_page(draft)) if draft is not None else answer

    def _say_what_next(self, request: Any, draft: RiskRuleset) -> None:
        """Name the draft that was written, which need not be the one on the page."""
        text = format_html(
            gettext(
                'Now in <a href="{page}">{draft}</a>, not in force yet. '
                '<a href="{trial}">Try it on every account</a>.'
            ),
            page=_page(draft),
            draft=draft,
            trial=trial_page(draft),
        )
        self.message_user(request, text, messages.INFO)

    @service_action(description=_("Draft a copy"), perm="riskops.add_riskruleset")
    def copy(self, request: Any, obj: RiskRuleset) -> None:
        """Draft the same rules anew; the copy opens, to be changed by its forms."""
        note = gettext("Copy of %(ruleset)s") % {"ruleset": obj}
        draft = draft_ruleset(actor=request.user, definition=obj.definition, note=note)
        request.new_draft = draft
        self._say_what_next(request, draft)

    @form_action(description=_("Change points…"), perm="riskops.add_riskruleset", form=PointsForm)
    def change_points(self, request: Any, obj: RiskRuleset, data: dict[str, Any]) -> None:
        """Change what a shipped factor gives, in a draft or in a draft copy of published rules."""
        definition = with_changes(obj.definition, {"factors": [data["row"]]})
        self._say_what_next(request, save_draft(request, obj, definition, data["note"]))

    @form_action(
        description=_("Write a factor…"),
        perm="riskops.add_riskruleset",
        form=FactorForm,
    )
    def write_factor(self, request: Any, obj: RiskRuleset, data: dict[str, Any]) -> None:
        """Put a factor into a draft, or into a draft copy of published rules."""
        definition = with_changes(obj.definition, {"factors": [factor_row(data)]})
        self._say_what_next(request, save_draft(request, obj, definition, data["note"]))

    @form_action(
        description=_("Remove a factor…"),
        perm="riskops.add_riskruleset",
        form=RemoveFactorForm,
    )
    def remove_factor(self, request: Any, obj: RiskRuleset, data: dict[str, Any]) -> None:
        """Take a factor that staff wrote out of a draft or of a draft copy."""
        rows = obj.definition["factors"]
        kept = [row for row in rows if "measure" not in row or not is_named(row, data["code"])]
        if len(kept) == len(rows):
            raise InvalidInput("code", _("Names no factor that staff wrote."))
        definition = {**obj.definition, "factors": kept}
        self._say_what_next(request, save_draft(request, obj, definition, data["note"]))

    @form_action(
        description=_("Change the rest, as JSON…"),
        perm="riskops.add_riskruleset",
        form=ChangesForm,
    )
    def change_document(self, request: Any, obj: RiskRuleset, data: dict[str, Any]) -> None:
        """Change what no form covers: levels, caps of families, what happens at a level."""
        definition = with_changes(obj.definition, data["changes"])
        self._say_what_next(request, save_draft(request, obj, definition, data["note"]))

    @form_action(
        description=_("Publish…"),
        perm="riskops.publish_riskruleset",
        form=PublishForm,
        applies=is_draft,
    )
    def publish(self, request: Any, obj: RiskRuleset, data: dict[str, Any]) -> None:
        publish_ruleset(actor=request.user, ruleset=obj, note=data["note"])

    @form_action(
        description=_("Discard drafts…"),
        perm="riskops.add_riskruleset",
        form=forms.Form,
        applies=is_draft,
    )
    def discard(self, request: Any, obj: RiskRuleset, data: dict[str, Any]) -> None:
        discard_draft(actor=request.user, ruleset=obj)


def save_draft(
    request: Any, ruleset: RiskRuleset, definition: dict[str, Any], note: str
) -> RiskRuleset:
    """Change a draft, or draft a copy of rules that are published; return the draft."""
    if ruleset.is_published:
        return draft_ruleset(actor=request.user, definition=definition, note=note)
    return change_draft(
        actor=request.user, ruleset=ruleset, definition=definition, note=note or ruleset.note
    )


def table(rules: Ruleset) -> dict[str, Any]:
    """Return the rules as rows to read."""
    bounds = [-1, *rules.level_bounds, 100]
    return {
        "factors": [
            (
                factor,
                FAMILY_TITLES[factor.family],
                duration(factor.window) if factor.window else "",
            )
            for factor in rules.factors
        ],
        "levels": [
            (
                level,
                LEVEL_TITLES[level],
                low + 1,
                high,
                ", ".join(str(ACTION_TITLES[name]) for name in rules.actions.get(level, ())),
            )
            for level, low, high in zip(LEVELS, bounds, bounds[1:], strict=False)
        ],
        "caps": [(FAMILY_TITLES[name], cap) for name, cap in sorted(rules.family_caps.items())],
        "rules": rules,
        "cool_down": duration(rules.cool_down),
    }
