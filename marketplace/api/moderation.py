"""Products, edits, reasons and categories for staff."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import CategoryFilter, RevisionFilter, StaffProductFilter
from marketplace.api.imports import PushedProducts
from marketplace.api.serializers.catalogue import (
    CategoryInput,
    CategorySerializer,
    ProductInput,
    ReasonTemplateInput,
    ReasonTemplateSerializer,
    ReviewSerializer,
    StaffProductInput,
    StaffProductSerializer,
    StaffRevisionSerializer,
)
from marketplace.api.serializers.shared import ModerationReasonInput
from marketplace.models import Category, Product, ProductRevision, ReasonTemplate
from marketplace.services import risk
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    ServiceCrudViewSet,
    StaffViewSet,
    crud_access,
    expected_version,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.references import REFERENCE_REGEX


class ReasonedViewSet(StaffViewSet):
    """Decisions that carry a reason, written or taken from a template."""

    def reason(self) -> str:
        """Return the text of the reason."""
        data = self.parse(ModerationReasonInput)
        code = data.get("template")
        if not code:
            return data["reason"]
        template = ReasonTemplate.objects.filter(code=code, is_active=True).first()
        if template is None:
            raise InvalidInput("template", "No such reason template.")
        return f"{template.body}\n\n{data['reason']}".strip()


class StaffProductViewSet(ReasonedViewSet, PushedProducts):
    """`/api/admin/products`: every product, and the decisions about it."""

    lookup_value_regex = REFERENCE_REGEX
    access = {
        "list": "marketplace.view_product",
        "retrieve": "marketplace.view_product",
        "reviews": "marketplace.view_productreview",
        "create": "marketplace.add_product",
        "batch": "marketplace.push_product",
        "update": "marketplace.change_product",
        "partial_update": "marketplace.change_product",
        "destroy": "marketplace.remove_product",
        "approve": "marketplace.moderate_product",
        "reject": "marketplace.moderate_product",
        "request_changes": "marketplace.moderate_product",
        "pause": "marketplace.remove_product",
        "resume": "marketplace.remove_product",
        "remove": "marketplace.remove_product",
    }
    serializer_class = StaffProductSerializer
    pagination_class = CursorList
    filterset_class = StaffProductFilter
    ordering = ("-id",)
    ordering_fields = ["id", "submitted_at", "listed_at", "price"]
    versioned = True

    def get_queryset(self) -> QuerySet:
        """Return the products of all members."""
        return Product.objects.for_staff().prefetch_related("revisions")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List products; `status=pending&ordering=submitted_at` is the approval queue."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        context = dict(self.get_serializer_context())
        context["risk"] = risk.seller_risk([product.seller_id for product in page], caller(request))
        data = StaffProductSerializer(page, many=True, context=context).data
        return self.get_paginated_response(data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one product."""
        return self._shown(self.get_object())

    @extend_schema(request=StaffProductInput, responses={201: StaffProductSerializer})
    def create(self, request: Request) -> Response:
        """Create a draft for a seller."""
        product = services.create_product(actor=caller(request), **self.parse(StaffProductInput))
        return self._shown(product, 201)

    @extend_schema(request=ProductInput, responses=StaffProductSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """Replace the content, at once and without review."""
        return self._update(request, self.parse(ProductInput))

    @extend_schema(request=ProductInput(partial=True), responses=StaffProductSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some of the content, at once and without review."""
        return self._update(request, self.parse(ProductInput, partial=True))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a product."""
        services.remove_product(
            actor=caller(request),
            product=self.get_object(),
            expected_version=expected_version(request),
        )
        return Response(status=204)

    @extend_schema(request=ModerationReasonInput, responses=StaffProductSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Put a product on sale."""
        return self._decide(services.approve_product)

    @extend_schema(request=ModerationReasonInput, responses=StaffProductSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Reject a product; the seller reads the reason."""
        return self._decide(services.reject_product)

    @extend_schema(request=ModerationReasonInput, responses=StaffProductSerializer)
    @action(detail=True, methods=["post"], url_path="request-changes")
    def request_changes(self, request: Request, pk: str) -> Response:
        """Ask the seller to change something first."""
        return self._decide(services.request_product_changes)

    @extend_schema(request=ModerationReasonInput, responses=StaffProductSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Take a product off sale; only staff can resume it."""
        product = services.pause_product(
            actor=caller(request), product=self.get_object(), reason=self.reason()
        )
        return self._shown(product)

    @extend_schema(request=None, responses=StaffProductSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Put a paused product on sale again."""
        return self._shown(
            services.resume_product(actor=caller(request), product=self.get_object())
        )

    @extend_schema(request=ModerationReasonInput, responses=StaffProductSerializer)
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, pk: str) -> Response:
        """Remove a product, saying why."""
        product = services.remove_product(
            actor=caller(request),
            product=self.get_object(),
            reason=self.reason(),
            expected_version=expected_version(request),
        )
        return self._shown(product)

    @extend_schema(responses=ReviewSerializer(many=True))
    @action(detail=True, filterset_class=None, ordering=("-id",), ordering_fields=[])
    def reviews(self, request: Request, pk: str) -> Response:
        """List the decisions about a product, newest first."""
        reviews = self.get_object().reviews.all()
        page = self.paginate_queryset(reviews)
        return self.get_paginated_response(ReviewSerializer(page, many=True).data)

    def _decide(self, service: Any) -> Response:
        product = service(
            actor=caller(self.request),
            product=self.get_object(),
            reason=self.reason(),
            expected_version=expected_version(self.request),
        )
        return self._shown(product)

    def _update(self, request: Request, changes: dict[str, Any]) -> Response:
        product = services.update_product(
            actor=caller(request),
            product=self.get_object(),
            expected_version=expected_version(request),
            by_moderator=True,
            **changes,
        )
        return self._shown(product)

    def _shown(self, product: Product, status: int = 200) -> Response:
        fresh = self.get_queryset().get(pk=product.pk)
        known = risk.seller_risk([fresh.seller_id], caller(self.request))
        context = {**self.get_serializer_context(), "risk": known}
        return Response(StaffProductSerializer(fresh, context=context).data, status=status)


class RevisionViewSet(ListAction, RetrieveAction, ReasonedViewSet):
    """`/api/admin/product-revisions`: edits of live products that wait for review."""

    access = {
        "list": "marketplace.view_productrevision",
        "retrieve": "marketplace.view_productrevision",
        "approve": "marketplace.moderate_product",
        "reject": "marketplace.moderate_product",
        "request_changes": "marketplace.moderate_product",
    }
    serializer_class = StaffRevisionSerializer
    pagination_class = CursorList
    filterset_class = RevisionFilter
    ordering = ("-id",)
    ordering_fields = ["id", "submitted_at"]
    versioned = True
    checks_version = {"approve", "reject", "request_changes"}

    def get_queryset(self) -> QuerySet:
        """Return the revisions of products of all members."""
        return ProductRevision.objects.for_staff()

    @extend_schema(request=None, responses=StaffRevisionSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Make an edit live; 409 `revision_stale` when the product moved on in its fields."""
        revision = services.approve_revision(
            actor=caller(request),
            revision=self.get_object(),
            expected_version=expected_version(request),
        )
        return self.answer(revision)

    @extend_schema(request=ModerationReasonInput, responses=StaffRevisionSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Refuse an edit; the approved version stays live."""
        return self._decide(services.reject_revision)

    @extend_schema(request=ModerationReasonInput, responses=StaffRevisionSerializer)
    @action(detail=True, methods=["post"], url_path="request-changes")
    def request_changes(self, request: Request, pk: str) -> Response:
        """Ask the seller to change the edit."""
        return self._decide(services.request_revision_changes)

    def _decide(self, service: Any) -> Response:
        revision = service(
            actor=caller(self.request),
            revision=self.get_object(),
            reason=self.reason(),
            expected_version=expected_version(self.request),
        )
        return self.answer(revision)


class StaffCategoryViewSet(ServiceCrudViewSet):
    """`/api/admin/categories`: the tree, in order; a new parent moves all that is below."""

    access = crud_access("marketplace.category")
    serializer_class = CategorySerializer
    input_class = CategoryInput
    filterset_class = CategoryFilter
    ordering_fields = ["position", "name", "id"]
    queryset = Category.objects.order_by("position", "name", "id")
    checks_version = {"update", "partial_update"}
    passes_version = {"update", "partial_update"}
    subject = "category"
    create_service = staticmethod(services.create_category)
    update_service = staticmethod(services.update_category)
    delete_service = staticmethod(services.delete_category)


class ReasonTemplateViewSet(ServiceCrudViewSet):
    """`/api/admin/reason-templates`: ready-made reasons."""

    access = crud_access("marketplace.reasontemplate")
    serializer_class = ReasonTemplateSerializer
    input_class = ReasonTemplateInput
    ordering_fields = ["title", "id"]
    queryset = ReasonTemplate.objects.order_by("action", "title", "id")
    versioned = False
    passes_version = set()
    subject = "template"
    create_service = update_service = staticmethod(services.save_reason_template)
    delete_service = staticmethod(services.delete_reason_template)
