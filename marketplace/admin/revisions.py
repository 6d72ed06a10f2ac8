"""Edits of live products in the admin: the diff and the decision."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.forms import NeededReasonForm
from marketplace.admin.products import MODERATE, findings_list, is_pending, risk_badge
from marketplace.models import ProductRevision
from marketplace.revision_changes import changes_of, field_name
from marketplace.services.revisions import stale_fields
from marketplace.services.risk import shown_checks
from riskops.querysets import with_shown_risk
from systemadmin.foundation.admin import AtalayaModelAdmin, form_action, service_action
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version
from systemadmin.services.duties import is_own_case


@admin.register(ProductRevision)
class RevisionAdmin(AtalayaModelAdmin):
    """What sellers want to change."""

    change_form_template = "admin/marketplace/productrevision/change_form.html"
    list_display = [
        "product",
        "seller",
        "fields_shown",
        "status",
        "waiting",
        "seller_risk",
        "checks_shown",
    ]
    list_filter = ["status"]
    list_select_related = ["product__seller"]
    search_fields = ["product__title__istartswith"]
    ordering = ["submitted_at", "id"]
    actions = ["approve", "reject", "request_changes"]
    fields = ["product", "status", "status_reason", "submitted_at", "decided_at", "decided_by"]

    class Media:
        css = {"all": ["marketplace/marketplace.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the seller's risk by subquery."""
        return with_shown_risk(super().get_queryset(request), request.user, "product__seller_id")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page with the diff."""
        revision = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if isinstance(revision, ProductRevision):
            is_own = is_own_case(request.user, [revision.product.seller_id])
            context |= {
                "changes": changes_of(revision),
                "stale": [field_name(name) for name in stale_fields(revision.product, revision)],
                "checks": shown_checks(revision.checks, is_own=is_own),
            }
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("seller"))
    def seller(self, revision: ProductRevision) -> str:
        """Return whose product it is."""
        return str(revision.product.seller)

    @admin.display(description=_("changes"))
    def fields_shown(self, revision: ProductRevision) -> str:
        """Return which fields change."""
        return ", ".join(field_name(name) for name in sorted(revision.patch))

    @admin.display(description=_("waiting"), ordering="submitted_at")
    def waiting(self, revision: ProductRevision) -> str:
        """Return how long it has been in the queue."""
        if revision.status != "pending" or revision.submitted_at is None:
            return "-"
        return timesince(revision.submitted_at)

    @admin.display(description=_("seller's risk"), ordering="risk_score")
    def seller_risk(self, revision: Any) -> Any:
        """Return the seller's score and level."""
        return risk_badge(revision.risk_score, revision.risk_level)

    @admin.display(description=_("automatic checks"))
    def checks_shown(self, revision: Any) -> Any:
        """Return what the checks found."""
        return findings_list(shown_checks(revision.checks, is_own=revision.is_own))

    @service_action(description=_("Approve"), perm=MODERATE, applies=is_pending)
    def approve(self, request: HttpRequest, obj: ProductRevision) -> None:
        """Make the edit live."""
        services.approve_revision(
            actor=caller(request), revision=obj, expected_version=read_version(obj)
        )

    @form_action(description=_("Reject"), form=NeededReasonForm, perm=MODERATE, applies=is_pending)
    def reject(self, request: HttpRequest, obj: ProductRevision, data: dict[str, Any]) -> None:
        """Refuse the edit; what is live stays."""
        services.reject_revision(
            actor=caller(request),
            revision=obj,
            reason=data["reason"],
            expected_version=read_version(obj),
        )

    @form_action(
        description=_("Request changes"), form=NeededReasonForm, perm=MODERATE, applies=is_pending
    )
    def request_changes(
        self, request: HttpRequest, obj: ProductRevision, data: dict[str, Any]
    ) -> None:
        """Ask the seller for changes."""
        services.request_revision_changes(
            actor=caller(request),
            revision=obj,
            reason=data["reason"],
            expected_version=read_version(obj),
        )
