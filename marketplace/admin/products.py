"""Products and the approval queue in the admin."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.forms import NeededReasonForm, ReasonForm
from marketplace.models import Product, ProductReview
from marketplace.revision_changes import CHECK_NAMES, thumbnails
from marketplace.services.risk import shown_checks
from riskops.models.scores import Level
from riskops.querysets import with_shown_risk
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version
from systemadmin.foundation.money import format_money

LATE_HOURS = 24


def is_pending(thing: Any) -> bool:
    """Return whether a product or an edit waits for a moderator."""
    return thing.status == Product.Status.PENDING


MODERATE, REMOVE = "marketplace.moderate_product", "marketplace.remove_product"


class ReviewInline(ReadOnlyInline):
    """What was decided, newest first."""

    model = ProductReview
    fields = ["created_at", "action", "before", "after", "actor", "reason"]
    readonly_fields: Any = fields
    show_change_link = False

    @admin.display(description=_("from"))
    def before(self, obj: ProductReview) -> Any:
        """Return the status that the product had."""
        return dict(Product.Status.choices).get(obj.from_status, obj.from_status)

    @admin.display(description=_("to"))
    def after(self, obj: ProductReview) -> Any:
        """Return the status that it got."""
        return dict(Product.Status.choices).get(obj.to_status, obj.to_status)


def risk_badge(score: int | None, level: int | None) -> Any:
    """Return a seller's risk as a coloured word."""
    if score is None or level is None:
        return "-"
    known = Level(level)
    return format_html('<span class="mp-badge {}">{} {}</span>', known.code, known.label, score)


def findings_list(checks: list[dict[str, Any]]) -> Any:
    """Return what the automatic checks found."""
    if not checks:
        return "-"
    return format_html_join(
        " ",
        '<span class="mp-badge {}" title="{}">{}</span>',
        (
            (one["severity"], one["detail"], CHECK_NAMES.get(one["code"], one["code"]))
            for one in checks
        ),
    )


@admin.register(Product)
class ProductAdmin(AtalayaModelAdmin):
    """The queue with age and risk; decisions are actions with a reason page."""

    needs_permission: ClassVar[dict[str, str]] = {"edit_link": "marketplace.view_productrevision"}

    list_display = [
        "title",
        "seller",
        "category",
        "price_shown",
        "status",
        "waiting",
        "seller_risk",
        "checks_shown",
    ]
    list_filter = ["status", "kind", "is_paused_by_staff", "category"]
    list_select_related = ["seller", "category"]
    search_fields = ["title"]
    search_help_text = _("Words of title and attributes.")
    ordering = ["-id"]
    sortable_by = ()
    inlines = [ReviewInline]
    actions = ["approve", "reject", "request_changes", "pause", "resume", "remove"]
    fieldsets = [
        (None, {"fields": ["title", "seller", "category", "kind", "status", "status_reason"]}),
        (_("Review"), {"fields": ["waiting", "seller_risk", "checks_shown", "edit_link"]}),
        (
            _("Content"),
            {"fields": ["description", "price_shown", "stock", "images_shown", "attributes"]},
        ),
        (
            _("Moments"),
            {"fields": ["created_at", "submitted_at", "approved_at", "listed_at", "version"]},
        ),
    ]
    readonly_fields = [
        "price_shown",
        "waiting",
        "seller_risk",
        "checks_shown",
        "edit_link",
        "images_shown",
        "created_at",
        "listed_at",
        "version",
    ]

    class Media:
        css = {"all": ["marketplace/marketplace.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the seller's risk by subquery: one query however many rows."""
        return with_shown_risk(super().get_queryset(request), request.user, "seller_id")

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """Order the queue from its oldest."""
        if request.GET.get("status__exact") == "pending":
            return ["submitted_at", "id"]
        return ["-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Return the same search as the API's."""
        return (queryset.matching(search_term) if search_term.strip() else queryset), False

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, product: Product) -> str:
        """In the currency's own decimals."""
        return format_money(product.price, product.currency)

    @admin.display(description=_("waiting"), ordering="submitted_at")
    def waiting(self, product: Product) -> Any:
        """Return how long it has been in the queue."""
        if product.status != Product.Status.PENDING or product.submitted_at is None:
            return "-"
        hours = (timezone.now() - product.submitted_at).total_seconds() / 3600
        late = "late" if hours > LATE_HOURS else ""
        text = timesince(product.submitted_at)
        return format_html('<span class="mp-badge {}">{}</span>', late, text)

    @admin.display(description=_("seller's risk"), ordering="risk_score")
    def seller_risk(self, product: Any) -> Any:
        """Return the seller's score and level."""
        return risk_badge(product.risk_score, product.risk_level)

    @admin.display(description=_("automatic checks"))
    def checks_shown(self, product: Any) -> Any:
        """Return what the checks found."""
        return findings_list(shown_checks(product.checks, is_own=product.is_own))

    @admin.display(description=_("images"))
    def images_shown(self, product: Product) -> Any:
        """Return small pictures with links to the large ones."""
        return thumbnails(product.images)

    @admin.display(description=_("edit under review"))
    def edit_link(self, product: Product) -> Any:
        """Return the way to the diff."""
        revision = product.revisions.open().first()
        if revision is None:
            return "-"
        url = reverse("admin:marketplace_productrevision_change", args=[revision.pk])
        return format_html('<a href="{}">{}</a>', url, revision.get_status_display())

    @form_action(description=_("Approve"), form=ReasonForm, perm=MODERATE, applies=is_pending)
    def approve(self, request: HttpRequest, obj: Product, data: dict[str, Any]) -> None:
        """Approve the product, so that it is on sale."""
        services.approve_product(
            actor=caller(request),
            product=obj,
            reason=data["reason"],
            expected_version=read_version(obj),
        )

    @form_action(description=_("Reject"), form=NeededReasonForm, perm=MODERATE, applies=is_pending)
    def reject(self, request: HttpRequest, obj: Product, data: dict[str, Any]) -> None:
        """Reject the product; the seller reads the reason."""
        services.reject_product(
            actor=caller(request),
            product=obj,
            reason=data["reason"],
            expected_version=read_version(obj),
        )

    @form_action(
        description=_("Request changes"), form=NeededReasonForm, perm=MODERATE, applies=is_pending
    )
    def request_changes(self, request: HttpRequest, obj: Product, data: dict[str, Any]) -> None:
        """Ask the seller to change the product; the seller reads the reason."""
        services.request_product_changes(
            actor=caller(request),
            product=obj,
            reason=data["reason"],
            expected_version=read_version(obj),
        )

    @form_action(
        description=_("Pause"),
        form=NeededReasonForm,
        perm=REMOVE,
        applies=lambda product: product.status == Product.Status.APPROVED,
    )
    def pause(self, request: HttpRequest, obj: Product, data: dict[str, Any]) -> None:
        """Off sale for a while."""
        services.pause_product(actor=caller(request), product=obj, reason=data["reason"])

    @service_action(
        description=_("Resume"),
        perm=REMOVE,
        applies=lambda product: product.status == Product.Status.PAUSED,
    )
    def resume(self, request: HttpRequest, obj: Product) -> None:
        """Put a paused product on sale again."""
        services.resume_product(actor=caller(request), product=obj)

    @form_action(
        description=_("Remove"),
        form=NeededReasonForm,
        perm=REMOVE,
        applies=lambda product: product.status != Product.Status.REMOVED,
    )
    def remove(self, request: HttpRequest, obj: Product, data: dict[str, Any]) -> None:
        """Remove the product permanently."""
        services.remove_product(actor=caller(request), product=obj, reason=data["reason"])
