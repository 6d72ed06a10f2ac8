"""Account 360: everything known about one account on one page, and its graph."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from riskops.admin.decisions import AccountDecisions
from riskops.admin.own_account import OwnAccount, back_to_list
from riskops.links.graph import MAX_DEPTH, neighbourhood_graph
from riskops.links.notes import add_note
from riskops.masking import PERSONAL
from riskops.models import Account, EventKind, RelatedAccount, RiskOutcome
from riskops.models.scores import Level
from riskops.querysets import account as reads
from riskops.querysets.shown_scores import not_own, shown_score
from riskops.scores.explanation import explain
from riskops.scores.waterfall import dial, waterfall
from systemadmin import audit
from systemadmin.foundation import plugins
from systemadmin.foundation.admin import AtalayaModelAdmin, object_actions
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import remember_read_version
from systemadmin.foundation.csv_export import csv_lines
from systemadmin.foundation.display import display_name
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import (
    Unreadable,
    is_whole_number,
    parse_moment,
    parse_whole_number,
)
from systemadmin.services import who_suspends
from systemadmin.services.account_lookup import find_accounts
from systemadmin.services.duties import is_own_case

CHANGES_SHOWN = 4
CSV_COLUMNS = (
    "occurred_at",
    "kind",
    "source",
    "ip",
    "device",
    "wallet",
    "counterparty",
    "amount",
    "currency",
    "country",
    "data",
)


class ShownLevel(admin.ChoicesFieldListFilter):
    """Accounts of a level; nobody finds their own by it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Return the accounts of the chosen level."""
        found = super().queryset(request, queryset)
        if found is None or not self.used_parameters:
            return queryset
        return not_own(found, caller(request), "pk")


@admin.register(Account)
class AccountAdmin(AccountDecisions, AtalayaModelAdmin):
    """Accounts as the risk desk looks at them."""

    list_display = ["username", "external_id", "score", "level", "verified_at", "suspended_at"]
    list_filter = [("risk_score__level", ShownLevel), "is_staff", "is_demo"]
    search_fields = ["username__istartswith", "external_id__istartswith", "email__istartswith"]
    search_help_text = _("Beginning of name or external id, or a whole e-mail address.")
    ordering = ["-id"]
    sortable_by = ["username"]
    actions = [
        "override",
        "lift_override",
        "legitimate",
        "fraud",
        "suspend",
        "reinstate",
        "recalculate",
        "write_note",
    ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """Find by the beginning of names; by e-mail as far as this user sees addresses."""
        if not search_term.strip():
            return queryset, False
        try:
            found = find_accounts(
                http=request, actor=request.user, accounts=queryset, text=search_term.strip()
            )
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return queryset.none(), False
        return found, False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the accounts with their scores; one's own has none."""
        return super().get_queryset(request).prefetch_related(shown_score(caller(request)))

    @admin.display(description=_("score"))
    def score(self, obj: Any) -> Any:
        """Return the risk score."""
        found = getattr(obj, "risk_score", None)
        return found.score if found else "–"

    @admin.display(description=_("level"))
    def level(self, obj: Any) -> Any:
        """Return the level of the risk score."""
        found = getattr(obj, "risk_score", None)
        return Level(found.level).label if found else "–"

    def get_urls(self) -> list[Any]:
        """Return the page's parts: graph, timeline as a file, a new note."""
        guard = self.admin_site.admin_view
        own = [
            path("<int:pk>/graph/", guard(self.graph), name="riskops_account_graph"),
            path("<int:pk>/graph.json", guard(self.graph_data), name="riskops_account_graph_data"),
            path("<int:pk>/events.csv", guard(self.events_csv), name="riskops_account_events"),
            path("<int:pk>/notes/", guard(self.note), name="riskops_account_note"),
            path("<int:pk>/pairs/<int:pair>/", guard(self.judge), name="riskops_account_pair"),
        ]
        return own + super().get_urls()

    def _account(self, request: HttpRequest, pk: Any) -> Account:
        account = get_object_or_404(Account, pk=pk)
        if not self.has_view_permission(request, account):
            raise PermissionDenied
        if is_own_case(request.user, [account.pk]):
            raise OwnAccount
        return account

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return the page, or one of its decisions."""
        if not is_whole_number(object_id):
            raise Http404
        try:
            self._account(request, object_id)
        except OwnAccount:
            return back_to_list(self, request)
        return object_actions.answer(
            self,
            request,
            object_id,
            dict(extra_context or {}),
            lambda shown, context: self._page(shown, object_id, context),
        )

    def _page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse:
        account = self._account(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": display_name(account),
            "opts": self.model._meta,
            "account": account,
            "unmasked": request.user.has_perm(PERSONAL),
            "left_to_others": who_suspends(caller(request), account),
            "panels": plugins.account_panels(request.user, account),
            **self._score(request, account),
            **self._links(request, account),
            **self._timeline(request, account),
            **extra,
        }
        if request.user.has_perm("riskops.view_accountnote"):
            context["notes"] = reads.notes_of(account)
        return TemplateResponse(request, "admin/riskops/account/page.html", context)

    def _score(self, request: HttpRequest, account: Account) -> dict[str, Any]:
        if not request.user.has_perm("riskops.view_riskscore"):
            return {}
        score = reads.score_of(account)
        if score is None:
            return {"score": None, "history": []}
        reasons = explain(score.breakdown, score.ruleset.rules, account=score.pk)
        return {
            "score": score,
            "level": Level(score.level),
            "reasons": reasons,
            "steps": waterfall(reasons, score.computed),
            "verdict": self._verdict(request, account),
            "dial": dial(score.score, score.ruleset.rules.level_bounds),
            "changes": sorted(
                (one for one in reasons if one.points > 0 and one.without != score.computed),
                key=lambda one: one.without,
            )[:CHANGES_SHOWN],
            "history": reads.history_of(account),
        }

    def _verdict(self, request: HttpRequest, account: Account) -> RiskOutcome | None:
        if not request.user.has_perm("riskops.view_riskoutcome"):
            return None
        return reads.verdict_of(account)

    def _links(self, request: HttpRequest, account: Account) -> dict[str, Any]:
        unmasked = request.user.has_perm(PERSONAL)
        found: dict[str, Any] = {}
        if request.user.has_perm("riskops.view_relatedaccount"):
            found["links"] = reads.links_of(account, unmasked=unmasked)
            found["cluster"] = reads.cluster_of(account)
        if request.user.has_perm("riskops.view_anomaly"):
            found["anomalies"] = reads.anomalies_of(account)
        if request.user.has_perm("riskops.view_identifier"):
            found["identifiers"] = reads.identifiers_of(account, unmasked=unmasked)
        return found

    def _timeline(self, request: HttpRequest, account: Account) -> dict[str, Any]:
        if not request.user.has_perm("riskops.view_accountevent"):
            return {}
        unmasked = request.user.has_perm(PERSONAL)
        kind = request.GET.get("kind", "")
        events = reads.events_of(account, kind=kind, before=_cursor(request.GET.get("before", "")))
        rows = list(events[: reads.EVENTS_SHOWN + 1])
        more = len(rows) > reads.EVENTS_SHOWN
        rows = rows[: reads.EVENTS_SHOWN]
        last = rows[-1] if more else None
        return {
            "events": [reads.show_event(event, unmasked=unmasked) for event in rows],
            "older": f"{last.occurred_at.isoformat()}~{last.pk}" if last else "",
            "kinds": [(one.code, one.label, one.code == kind) for one in EventKind],
            "kind": kind,
        }

    # -- parts -------------------------------------------------------------------

    def graph(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the neighbourhood as a picture and, for everyone else, as a table."""
        account = self._account(request, pk)
        graph = neighbourhood_graph(account, viewer=caller(request), **self._limits(request))
        names = {node["id"]: node["label"] for node in graph.nodes}
        context = {
            **self.admin_site.each_context(request),
            "title": _("Graph of %(name)s") % {"name": account.get_username()},
            "opts": self.model._meta,
            "account": account,
            "graph": graph,
            "rows": [
                {**edge, "from": names[edge["source"]], "to": names[edge["target"]]}
                for edge in graph.edges
                if edge["source"] in names and edge["target"] in names
            ],
            "depth": self._limits(request)["depth"],
            "depths": range(1, MAX_DEPTH + 1),
            "data_url": reverse("admin:riskops_account_graph_data", args=[pk]),
        }
        return TemplateResponse(request, "admin/riskops/account/graph.html", context)

    def graph_data(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Return the same as data for the picture."""
        account = self._account(request, pk)
        graph = neighbourhood_graph(account, viewer=caller(request), **self._limits(request))
        for node in graph.nodes:
            node["url"] = reverse("admin:riskops_account_change", args=[node["id"]])
        return JsonResponse(
            {"nodes": graph.nodes, "edges": graph.edges, "truncated": graph.truncated}
        )

    def _limits(self, request: HttpRequest) -> dict[str, int]:
        if not request.user.has_perm("riskops.view_relatedaccount"):
            raise PermissionDenied
        depth = request.GET.get("depth", "2")
        return {"depth": int(depth) if depth in ("1", "2", "3") else 2}

    def events_csv(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Return the timeline as a file, masked as on the page; who took it is on record."""
        account = self._account(request, pk)
        if not request.user.has_perm("riskops.view_accountevent"):
            raise PermissionDenied
        kind = request.GET.get("kind", "")
        unmasked = request.user.has_perm(PERSONAL)
        audit.record(
            "riskops.account.events_exported",
            actor=request.user,
            target=account,
            metadata={"kind": kind, "unmasked": unmasked},
        )
        events = reads.events_of(account, kind=kind)
        response = StreamingHttpResponse(_csv(events, unmasked), content_type="text/csv")
        name = f"account-{account.pk}-events-{timezone.now():%Y%m%d}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def judge(self, request: HttpRequest, pk: int, pair: int) -> HttpResponse:
        """Return a verdict about one of the account's pairs, by the action of the pair's page."""
        account = self._account(request, pk)
        found = get_object_or_404(RelatedAccount.objects.of_account(account.pk), pk=pair)
        pages = self.admin_site.get_model_admin(RelatedAccount)
        if request.method != "POST":
            raise PermissionDenied
        function = object_actions.action_of(pages, request, request.POST.get("verdict", ""))
        remember_read_version(found, object_actions.version_of(request, "version"))
        form = object_actions.form_of(function)(request.POST)
        if not object_actions.perform(pages, request, found, function, form):
            for error in form.errors.values():
                self.message_user(request, str(error.as_data()[0].message), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:riskops_account_change", args=[pk]))

    def note(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the form for a new note."""
        account = self._account(request, pk)
        if request.method != "POST" or not request.user.has_perm("riskops.add_accountnote"):
            raise PermissionDenied
        try:
            add_note(actor=caller(request), account=account, body=request.POST.get("body", ""))
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:riskops_account_change", args=[pk]) + "#notes")


def _cursor(text: str) -> tuple[datetime, int] | None:
    moment, _sep, pk = text.partition("~")
    try:
        return parse_moment(moment, zone=None), parse_whole_number(pk)
    except Unreadable:
        return None


def _csv(events: QuerySet, unmasked: bool) -> Iterator[str]:
    shown = (reads.show_event(event, unmasked=unmasked) for event in events.iterator(2000))
    return csv_lines(CSV_COLUMNS, ([getattr(row, name) for name in CSV_COLUMNS] for row in shown))
