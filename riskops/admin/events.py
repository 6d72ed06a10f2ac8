"""Events, identifiers and facts in the admin: to look at; only public places are marked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from riskops.links.verdicts import share_identifier, unshare_identifier
from riskops.models import (
    AccountEvent,
    AccountFacts,
    Identifier,
    IngestCheckpoint,
    RecomputeChunk,
    RecomputeRun,
    Sighting,
)
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.admin.masked import KnowsReader, reader_sees
from systemadmin.foundation.caller import caller


class Masked(KnowsReader):
    """Shows identifiers in full only to those who may see them."""

    def shown(self, row: Any, identifier: Identifier | None) -> str:
        """Return an identifier of a row, as its reader may see it."""
        if identifier is None:
            return "-"
        return identifier.value if reader_sees(row) else identifier.masked


@admin.register(AccountEvent)
class AccountEventAdmin(Masked, AtalayaModelAdmin):
    """The log, newest first."""

    list_display = [
        "occurred_at",
        "account",
        "kind",
        "source",
        "external_id",
        "shown_ip",
        "shown_device",
        "shown_wallet",
        "shown_counterparty",
        "country",
    ]
    list_filter = ["kind"]
    list_select_related = ["account", "ip", "device", "wallet", "counterparty_wallet"]
    search_fields = ["external_id__exact", "account__username__exact"]
    search_help_text = _("The whole external id or user name.")
    ordering = ["-id"]
    fields = [
        "account",
        "kind",
        "occurred_at",
        "received_at",
        "source",
        "external_id",
        "shown_ip",
        "shown_device",
        "shown_wallet",
        "shown_counterparty",
        "amount",
        "currency",
        "country",
        "data",
    ]
    readonly_fields = ["shown_ip", "shown_device", "shown_wallet", "shown_counterparty"]

    @admin.display(description=_("IP address"))
    def shown_ip(self, event: AccountEvent) -> str:
        return self.shown(event, event.ip)

    @admin.display(description=_("device"))
    def shown_device(self, event: AccountEvent) -> str:
        return self.shown(event, event.device)

    @admin.display(description=_("wallet"))
    def shown_wallet(self, event: AccountEvent) -> str:
        return self.shown(event, event.wallet)

    @admin.display(description=_("counterparty wallet"))
    def shown_counterparty(self, event: AccountEvent) -> str:
        return self.shown(event, event.counterparty_wallet)


class SightingInline(ReadOnlyInline):
    """Accounts seen with an identifier."""

    model = Sighting
    fields = ["account", "first_seen", "last_seen", "hits"]
    readonly_fields = ["account", "first_seen", "last_seen", "hits"]
    ordering = ["-last_seen"]
    max_shown = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("account")
        wanted = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        if wanted is None:
            return rows.none()
        latest = rows.filter(identifier_id=wanted).order_by("-last_seen")[: self.max_shown]
        return rows.filter(pk__in=list(latest.values_list("pk", flat=True)))


class PlaceForm(forms.Form):
    """What place it is."""

    reason = forms.CharField(label=_("reason"), max_length=200)


@admin.register(Identifier)
class IdentifierAdmin(Masked, AtalayaModelAdmin):
    """IP addresses, devices and wallets, most crowded first."""

    list_display = ["shown_value", "kind", "accounts", "first_seen", "last_seen", "is_shared"]
    list_filter = ["kind", "is_shared", "listing"]
    search_fields = ["value__exact"]
    search_help_text = _("The whole value.")
    ordering = ["-accounts", "-id"]
    inlines = [SightingInline]
    fields = [
        "shown_value",
        "kind",
        "accounts",
        "dealers",
        "first_seen",
        "last_seen",
        "listing",
        "is_shared",
        "shared_reason",
        "shared_by",
    ]
    readonly_fields = ["shown_value"]
    actions = ["share", "unshare"]

    @admin.display(description=_("value"))
    def shown_value(self, identifier: Identifier) -> str:
        return self.shown(identifier, identifier)

    @form_action(
        description=_("Mark as a public place"),
        perm="riskops.share_identifier",
        form=PlaceForm,
    )
    def share(self, request: HttpRequest, obj: Identifier, data: dict[str, Any]) -> None:
        """Mark the identifier as shared: it links nobody from now on."""
        share_identifier(actor=caller(request), identifier=obj, **data)

    @service_action(description=_("Unmark a public place"), perm="riskops.share_identifier")
    def unshare(self, request: HttpRequest, obj: Identifier) -> None:
        """Let the identifier link accounts again."""
        unshare_identifier(actor=caller(request), identifier=obj)


@admin.register(AccountFacts)
class AccountFactsAdmin(AtalayaModelAdmin):
    """What the engine remembers of each account."""

    list_display = ["account", "events", "logins", "failed_logins", "reports", "last_event_at"]
    list_select_related = ["account"]
    search_fields = ["account__username__istartswith"]
    ordering = ["-account"]


class ChunkInline(ReadOnlyInline):
    """The parts of a run."""

    model = RecomputeChunk
    readonly_fields = ["low", "high", "claimed_by", "attempts", "done_at", "scored", "written"]
    fields = [*readonly_fields]
    ordering = ["low"]


@admin.register(RecomputeRun)
class RecomputeRunAdmin(AtalayaModelAdmin):
    """Recomputes of everyone and how far they are."""

    list_display = ["at", "cause", "ruleset", "is_rebuild", "created_at", "finished_at"]
    list_select_related = ["ruleset"]
    ordering = ["-id"]
    inlines = [ChunkInline]


@admin.register(IngestCheckpoint)
class IngestCheckpointAdmin(AtalayaModelAdmin):
    """Files loaded, and how far."""

    list_display = ["path", "rows_done", "accepted", "duplicates", "refused", "finished_at"]
    ordering = ["-id"]
