"""Decisions in the moment in the admin: the stream, the rules, the lists, the back-test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from riskops.admin.decision_form import CONDITIONS, MEASURES, DecisionRuleForm, fits
from riskops.admin.links import account_link
from riskops.admin.own_account import OthersModelAdmin
from riskops.amounts import amount_text
from riskops.api.decision_serializers import decision_reasons
from riskops.decisions.backtest import DAYS, PATIENCE, backtest
from riskops.decisions.feedback import give_decision_feedback
from riskops.decisions.lists import add_list_entry, remove_list_entry
from riskops.decisions.rulebook import rule_of
from riskops.decisions.rules import (
    EDITABLE,
    change_decision_rule,
    create_decision_rule,
    delete_decision_rule,
)
from riskops.decisions.sentences import conditions_texts, kinds_text, rule_text
from riskops.models import AccountEvent, Decision, DecisionRule, ListEntry
from riskops.models.decisions import DecisionFeedback, DecisionOutcome, ListKind
from riskops.querysets import account as reads
from systemadmin.foundation.admin import ServiceModelAdmin, form_action
from systemadmin.foundation.admin.masked import KnowsReader, reader_sees
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.personal_data import masked, masked_texts


class FeedbackForm(forms.Form):
    """What became of it."""

    feedback = forms.ChoiceField(label=_("What became of it"), choices=DecisionFeedback.choices)
    note = forms.CharField(label=_("Note"), max_length=400, required=False)


class DefaultAnswerFilter(admin.BooleanFieldListFilter):
    """By whether the answer in time was missing; its title follows "By"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = str(_("default answer"))


@admin.register(Decision)
class DecisionAdmin(KnowsReader, OthersModelAdmin):
    """What was answered, newest first, with reasons."""

    list_display = ["decided_at", "who", "kind", "answer", "why", "score", "feedback"]
    list_filter = ["outcome", ("is_default", DefaultAnswerFilter), "feedback", "rule", "decided_at"]
    list_select_related = ["account", "rule", "ruleset"]
    search_fields = ["account__username__istartswith", "external_id"]
    ordering = ["-id"]
    sortable_by = ()
    readonly_fields = ["who", "answer", "reasons", "shadows", "event_shown"]
    fields = [
        "who",
        "kind",
        "event_shown",
        "source",
        "external_id",
        "answer",
        "reasons",
        "shadows",
        "score",
        "level",
        "ruleset",
        "decided_at",
        "took_ms",
        "feedback",
        "feedback_at",
        "feedback_by",
    ]
    actions = ["say_what_became"]

    class Media:
        css = {"all": ["riskops/risk.css"]}

    @admin.display(description=_("account"))
    def who(self, obj: Decision) -> str:
        """Return a link to the account's page."""
        return account_link(obj.account_id, obj.account)

    @admin.display(description=_("event"))
    def event_shown(self, obj: Decision) -> str:
        """Return what the event says, as long as the log keeps it."""
        event = reads.event_of(obj.event_id)
        if event is None:
            return "–"
        line = reads.show_event(event, unmasked=reader_sees(obj))
        facts = (
            (_("amount"), line.money),
            (_("IP address"), line.ip),
            (_("device"), line.device),
            (_("wallet"), line.wallet),
            (_("counterparty wallet"), line.counterparty),
            (_("country"), line.country),
            (_("data"), line.data),
        )
        return _bullets(f"{name}: {value}" for name, value in facts if value)

    @admin.display(description=_("outcome"))
    def answer(self, obj: Decision) -> str:
        """Return the outcome as a badge."""
        title = obj.get_outcome_display()
        return format_html('<span class="risk-badge decision-{}">{}</span>', obj.outcome, title)

    @admin.display(description=_("why"))
    def why(self, obj: Decision) -> str:
        """Return the first reason."""
        return decision_reasons(obj)[0]["text"]

    @admin.display(description=_("reasons"))
    def reasons(self, obj: Decision) -> str:
        """Return every reason."""
        return _bullets(one["text"] for one in decision_reasons(obj))

    @admin.display(description=_("rules in shadow mode"))
    def shadows(self, obj: Decision) -> str:
        """Return what they would have decided."""
        return _bullets(
            f"{DecisionOutcome(one['outcome']).label}: {rule_text(one)}"
            for one in obj.matched
            if one["shadow"]
        )

    @form_action(
        description=_("Say what became of it…"),
        perm="riskops.feedback_decision",
        form=FeedbackForm,
    )
    def say_what_became(self, request: HttpRequest, obj: Decision, data: dict[str, Any]) -> None:
        """One service call a decision."""
        give_decision_feedback(actor=caller(request), decision=obj, **data)


def _bullets(lines: Any) -> str:
    items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
    return format_html('<ul class="decision-reasons">{}</ul>', items) if items else "-"


class DaysForm(forms.Form):
    """How far back."""

    days = forms.IntegerField(label=_("Days back"), min_value=1, max_value=400, initial=DAYS)


@admin.register(DecisionRule)
class DecisionRuleAdmin(ServiceModelAdmin):
    """The rules in the order in which they are asked."""

    form = DecisionRuleForm
    change_form_template = "admin/riskops/decisionrule/change_form.html"
    list_display = ["shown_title", "priority", "outcome", "asks", "is_shadow", "is_enabled", "made"]
    list_filter = ["outcome", "is_shadow", "is_enabled"]
    ordering = ["priority", "id"]
    readonly_fields = ["asks"]

    class Media:
        css = {"all": ["riskops/risk.css"]}

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, obj: DecisionRule) -> str:
        """Say the title of a shipped rule in the reader's language."""
        return str(obj)

    @admin.display(description=_("asks"))
    def asks(self, obj: DecisionRule) -> str:
        """Return events and conditions in words."""
        return _bullets([kinds_text(obj.kinds), *conditions_texts(obj.conditions)])

    @admin.display(description=_("decisions in 30 days"))
    def made(self, obj: DecisionRule) -> int:
        """Return how often it decided."""
        return int(self._made.get(obj.pk, 0))

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rules; how often each decided is counted once."""
        start = timezone.now() - timedelta(days=30)
        self._made = Decision.objects.by_rule(start)
        return super().get_queryset(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Conditions row by row; whoever may only look reads them in words."""
        plain = ["title", "code", "outcome", "priority", "is_shadow", "is_enabled"]
        may_edit = self.has_change_permission(request, obj) if obj else True
        if not may_edit or (obj is not None and not fits(obj.conditions)):
            return [(None, {"fields": [*plain, "asks"]})]
        rows = [
            tuple(f"{name}_{number}" for name in ("field", "name", "op", "value"))
            for number in range(1, CONDITIONS + 1)
        ]
        return [
            (None, {"fields": [*plain, "kinds", "currency"]}),
            (_("Conditions, all of which must hold"), {"fields": rows}),
            *(
                (_("Measure %(number)s") % {"number": number}, {"fields": _measure_rows(number)})
                for number in range(1, MEASURES + 1)
            ),
        ]

    def get_urls(self) -> list[Any]:
        """Return the back-test beside each rule."""
        guard = self.admin_site.admin_view
        own = path("<int:pk>/backtest/", guard(self.backtest), name="riskops_decisionrule_backtest")
        return [own, *super().get_urls()]

    def backtest(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return what the rule would have done with the events of the last days."""
        if not self.has_view_permission(request) or not request.user.has_perm(
            "riskops.view_accountevent"
        ):
            raise PermissionDenied
        rule = DecisionRule.objects.filter(pk=pk).first()
        if rule is None:
            raise Http404
        form = DaysForm(request.GET) if "days" in request.GET else DaysForm({"days": DAYS})
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("What the rule would have done"),
            "opts": self.opts,
            "rule": rule,
            "asks": self.asks(rule),
            "form": form,
        }
        if form.is_valid():
            context |= _tried(rule, form.cleaned_data["days"])
        return TemplateResponse(request, "admin/riskops/decisionrule/backtest.html", context)

    def create(self, actor: Any, values: dict[str, Any]) -> DecisionRule:
        """Create the decision rule by its service."""
        return create_decision_rule(actor=actor, values=_of_rule(values))

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> DecisionRule:
        """Change the decision rule by its service."""
        return change_decision_rule(actor=actor, rule=obj, values=_of_rule(values))

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete one that never decided."""
        delete_decision_rule(actor=actor, rule=obj)


def _measure_rows(number: int) -> list[Any]:
    key = f"m{number}"
    return [
        tuple(
            f"{key}_{name}" for name in ("aggregate", "distinct", "minutes", "past", "least_past")
        ),
        f"{key}_kinds",
        tuple(f"{name}_{key}" for name in ("field", "name", "op", "value")),
        (f"{key}_op", f"{key}_value"),
    ]


def _of_rule(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in EDITABLE if name in values}


def _tried(rule: DecisionRule, days: int) -> dict[str, Any]:
    """Return the figures of a back-test, or why there are none."""
    end = timezone.now()
    try:
        found = backtest(rule_of(rule), start=end - timedelta(days=days), end=end, seconds=PATIENCE)
    except DomainError as refusal:
        return {"refusal": str(refusal)}
    top = max([number for _day, number in found.days], default=1)
    samples = AccountEvent.objects.filter(pk__in=found.samples).select_related("account")
    return {
        "found": found,
        "precision": None if found.precision is None else round(100 * found.precision),
        "recall": None if found.recall is None else round(100 * found.recall),
        "bars": [
            {"day": day, "number": number, "height": round(60 * number / top, 1), "x": i * 12}
            for i, (day, number) in enumerate(found.days)
        ],
        "width": max(len(found.days) * 12, 12),
        "totals": [amount_text(one.amount, one.currency) for one in found.totals],
        "samples": [
            (one, "" if one.amount is None else amount_text(one.amount, one.currency))
            for one in samples.order_by("-occurred_at")
        ],
    }


class EntryForm(forms.ModelForm):
    """What goes on which list, why, until when."""

    class Meta:
        model = ListEntry
        fields = ["list", "kind", "value", "reason", "expires_at"]


@admin.register(ListEntry)
class ListEntryAdmin(KnowsReader, ServiceModelAdmin):
    """The lists; an entry is taken off and put on anew, never changed."""

    form = EntryForm
    list_display = ["what", "list", "kind", "why", "expires_at", "created_by", "created_at"]
    list_filter = ["list", "kind", ("expires_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "created_by"]
    search_fields = ["value__istartswith"]
    ordering = ["-id"]
    sortable_by = ()

    @admin.display(description=_("value"))
    def what(self, obj: ListEntry) -> str:
        """Return the value, masked for those who may not see it."""
        if obj.kind == ListKind.ACCOUNT and obj.account is not None:
            return str(obj.account)
        return obj.value if reader_sees(obj) else masked(obj.value.removesuffix("/32"))

    @admin.display(description=_("reason"))
    def why(self, obj: ListEntry) -> str:
        """Return the reason, people in it masked likewise."""
        return obj.reason if reader_sees(obj) else str(masked_texts(obj.reason))

    def create(self, actor: Any, values: dict[str, Any]) -> ListEntry:
        """Put it on the list."""
        return add_list_entry(actor=actor, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Take the entry off its list."""
        remove_list_entry(actor=actor, entry=obj)
