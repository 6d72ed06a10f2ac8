"""Related accounts, clusters and lists of addresses in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from riskops.admin.own_account import OthersModelAdmin
from riskops.links.clusters import confirm_cluster, dismiss_cluster, suspend_cluster
from riskops.links.hubs import ring_text
from riskops.links.related import same_person, show_pairs
from riskops.links.verdicts import confirm_related, dismiss_related, reopen_related
from riskops.models import (
    AccountCluster,
    AccountNote,
    ClusterMember,
    IpRange,
    LinkStatus,
    RelatedAccount,
)
from riskops.querysets.shown_scores import shown_score
from systemadmin.foundation.admin import AtalayaModelAdmin, ReadOnlyInline, form_action
from systemadmin.foundation.admin.masked import KnowsReader, reader_sees
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version
from systemadmin.foundation.display import display_name


class VerdictForm(forms.Form):
    """Why, and until when."""

    note = forms.CharField(label=_("note"), max_length=1000, required=False, widget=forms.Textarea)
    expires_at = forms.DateTimeField(
        label=_("verdict ends"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class NoteForm(forms.Form):
    """Ask for an optional note with the reason."""

    note = forms.CharField(label=_("note"), max_length=1000, required=False, widget=forms.Textarea)


class SuspensionForm(forms.Form):
    """Why the accounts are suspended."""

    reason = forms.CharField(label=_("reason"), max_length=400, widget=forms.Textarea)


def is_suspected(found: Any) -> bool:
    """Return whether a pair or a cluster waits for a verdict."""
    return found.status == LinkStatus.SUSPECTED


def is_judged(found: Any) -> bool:
    """Return whether there is a verdict to take back."""
    return not is_suspected(found)


def account_link(pk: int, name: Any) -> str:
    """Return a link to the page of an account."""
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:riskops_account_change", args=[pk]), name
    )


@admin.register(RelatedAccount)
class RelatedAccountAdmin(KnowsReader, AtalayaModelAdmin):
    """Pairs that may have one owner."""

    # The first column leads to the pair, the two beside it to its accounts: links do not nest.
    list_display = [
        "names",
        "low_page",
        "high_page",
        "strength",
        "status",
        "bits",
        "decided_by",
        "calculated_at",
    ]
    list_filter = ["status", "may_merge"]
    list_select_related = ["low", "high", "decided_by"]
    search_fields = ["low__username__istartswith", "high__username__istartswith"]
    ordering = ["-strength", "-id"]
    fields = ["pair", "status", "strength", "sure", "shown_evidence", "note"]
    readonly_fields = ["pair", "sure", "shown_evidence"]
    actions = ["confirm", "dismiss", "reopen"]

    @admin.display(description=_("pair"), ordering="id")
    def names(self, obj: RelatedAccount) -> str:
        """Return the two names, as one link to the pair."""
        return f"{obj.low} – {obj.high}"

    @admin.display(description=_("account"))
    def low_page(self, obj: RelatedAccount) -> str:
        """Return a link to the first account."""
        return account_link(obj.low_id, obj.low)

    @admin.display(description=_("other account"))
    def high_page(self, obj: RelatedAccount) -> str:
        """Return a link to the second account."""
        return account_link(obj.high_id, obj.high)

    @admin.display(description=_("accounts"))
    def pair(self, obj: RelatedAccount) -> str:
        """Both, each with a link to its page."""
        return format_html(
            "{} – {}",
            account_link(obj.low_id, display_name(obj.low)),
            account_link(obj.high_id, display_name(obj.high)),
        )

    @admin.display(description=_("evidence"))
    def shown_evidence(self, obj: RelatedAccount) -> str:
        """Return what they share and what it is worth."""
        found = show_pairs([obj], account_id=obj.low_id, unmasked=reader_sees(obj))[0]
        return render_to_string("admin/review/evidence.html", {"it": found.evidence})

    @admin.display(description=_("probability"))
    def sure(self, obj: RelatedAccount) -> str:
        """Return how likely they have one owner, as the review desk says it."""
        return same_person(obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Call the page by the names of both."""
        pair: RelatedAccount = kwargs["obj"]
        name = f"{display_name(pair.low)} – {display_name(pair.high)}"
        return super().render_change_form(request, {**context, "pair_name": name}, *args, **kwargs)

    @form_action(
        description=_("Confirm: one owner"),
        perm="riskops.judge_relatedaccount",
        form=VerdictForm,
        applies=is_suspected,
    )
    def confirm(self, request: HttpRequest, obj: RelatedAccount, data: dict[str, Any]) -> None:
        """One service call a pair."""
        confirm_related(actor=caller(request), pair=obj, expected_version=read_version(obj), **data)

    @form_action(
        description=_("Dismiss: two owners"),
        perm="riskops.judge_relatedaccount",
        form=VerdictForm,
        applies=is_suspected,
    )
    def dismiss(self, request: HttpRequest, obj: RelatedAccount, data: dict[str, Any]) -> None:
        """One service call a pair."""
        dismiss_related(actor=caller(request), pair=obj, expected_version=read_version(obj), **data)

    @form_action(
        description=_("Take the verdict back"),
        perm="riskops.judge_relatedaccount",
        form=NoteForm,
        applies=is_judged,
    )
    def reopen(self, request: HttpRequest, obj: RelatedAccount, data: dict[str, Any]) -> None:
        """One service call a pair."""
        reopen_related(actor=caller(request), pair=obj, expected_version=read_version(obj), **data)


class MemberInline(ReadOnlyInline):
    """The accounts of a cluster."""

    model = ClusterMember
    fields = ["page", "score", "suspended"]
    readonly_fields = ["page", "score", "suspended"]
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with account and score."""
        found = super().get_queryset(request)
        shown = shown_score(caller(request), of="account")
        return found.select_related("account").prefetch_related(shown).order_by("account_id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the cluster."""
        return bool(request.user.has_perm("riskops.view_accountcluster"))

    @admin.display(description=_("account"))
    def page(self, obj: ClusterMember) -> str:
        """Return a link to its page."""
        return account_link(obj.account_id, obj.account)

    @admin.display(description=_("score"))
    def score(self, obj: ClusterMember) -> Any:
        """Return the risk score of the account."""
        found = getattr(obj.account, "risk_score", None)
        return found.score if found else "–"

    @admin.display(description=_("suspended"), boolean=True)
    def suspended(self, obj: ClusterMember) -> bool:
        """Return whether it is suspended."""
        return obj.account.is_suspended


@admin.register(AccountCluster)
class AccountClusterAdmin(AtalayaModelAdmin):
    """Groups of accounts that probably have one owner."""

    list_display = ["__str__", "size", "strength", "ring", "status", "decided_by", "updated_at"]
    list_filter = ["status"]
    list_select_related = ["decided_by"]
    ordering = ["-size", "-id"]
    fields = [
        "status",
        "size",
        "strength",
        "ring",
        "shown_bridges",
        "note",
        "decided_by",
        "decided_at",
    ]
    readonly_fields = ["ring", "shown_bridges"]
    inlines = [MemberInline]
    actions = ["confirm", "dismiss", "suspend"]
    page_template = "admin/riskops/cluster_action.html"

    @admin.display(description=_("ring"), empty_value="–")
    def ring(self, obj: AccountCluster) -> str:
        """Return accounts that share a few devices between them."""
        return ring_text(obj) or "–"

    @admin.display(description=_("refused merges"))
    def shown_bridges(self, obj: AccountCluster) -> str:
        """Return the links that were not allowed to join this cluster with another."""
        reasons = {
            "weak": _("one shared identifier that others share too"),
            "size": _("the cluster would grow past the guard"),
            "dismissed": _("staff dismissed a pair between the two"),
        }
        rows = format_html_join(
            "",
            "<li>{} – {}: {} ({})</li>",
            (
                (account_link(a, f"#{a}"), account_link(b, f"#{b}"), strength, reasons[reason])
                for a, b, strength, reason in obj.bridges
            ),
        )
        return format_html("<ul>{}</ul>", rows) if obj.bridges else "–"

    @form_action(
        description=_("Confirm the whole cluster"),
        perm="riskops.judge_accountcluster",
        form=NoteForm,
        applies=is_suspected,
        template="admin/riskops/cluster_action.html",
    )
    def confirm(self, request: HttpRequest, obj: AccountCluster, data: dict[str, Any]) -> None:
        """One audited act a cluster."""
        confirm_cluster(
            actor=caller(request), cluster=obj, expected_version=read_version(obj), **data
        )

    @form_action(
        description=_("Dismiss the whole cluster"),
        perm="riskops.judge_accountcluster",
        form=NoteForm,
        applies=is_suspected,
        template="admin/riskops/cluster_action.html",
    )
    def dismiss(self, request: HttpRequest, obj: AccountCluster, data: dict[str, Any]) -> None:
        """One audited act a cluster."""
        dismiss_cluster(
            actor=caller(request), cluster=obj, expected_version=read_version(obj), **data
        )

    @form_action(
        description=_("Suspend every account of the cluster"),
        perm="riskops.suspend_accountcluster",
        form=SuspensionForm,
        template="admin/riskops/cluster_action.html",
    )
    def suspend(self, request: HttpRequest, obj: AccountCluster, data: dict[str, Any]) -> None:
        """One audited act a cluster, all or nothing."""
        suspend_cluster(
            actor=caller(request), cluster=obj, expected_version=read_version(obj), **data
        )


@admin.register(IpRange)
class IpRangeAdmin(AtalayaModelAdmin):
    """Listed addresses; they come in by `import_ip_list`."""

    list_display = ["cidr", "category", "source", "expires_at"]
    list_filter = ["category", "source"]
    search_fields = ["cidr__istartswith"]
    ordering = ["first", "id"]


@admin.register(AccountNote)
class AccountNoteAdmin(OthersModelAdmin):
    """What staff wrote about accounts; written on the account's page."""

    list_display = ["account", "author", "created_at"]
    list_select_related = ["account", "author"]
    ordering = ["-id"]
