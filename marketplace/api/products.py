"""Products for everyone, and for the sellers they belong to."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import CategoryFilter, OwnProductFilter, ProductFilter
from marketplace.api.serializers.catalogue import (
    CategorySerializer,
    OwnProductSerializer,
    ProductImageInput,
    ProductInput,
    ProductListSerializer,
    ProductSerializer,
)
from marketplace.models import Category, Product
from systemadmin.foundation.api import (
    MEMBER,
    PUBLIC,
    CursorList,
    ListAction,
    MemberViewSet,
    PagedList,
    PublicViewSet,
    RetrieveAction,
    expected_version,
    lacks_second_factor,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.files import inline_image_response


class ProductViewSet(ListAction, PublicViewSet):
    """`/api/products`: approved products for everyone, one's own for sellers."""

    access = {"list": PUBLIC, "retrieve": PUBLIC, "image": PUBLIC, "default": MEMBER}
    serializer_class = ProductListSerializer
    pagination_class = CursorList
    filterset_class = ProductFilter
    ordering = ("-listed_at", "-id")
    ordering_fields = ["listed_at", "price"]
    versioned = True

    def get_queryset(self) -> QuerySet:
        """Return what the caller may see."""
        if self.action == "list":
            return Product.objects.public().for_list()
        if self.action in ("retrieve", "mine"):
            visible = Product.objects.visible_to(self.request.user).for_staff()
            return visible.prefetch_related("revisions")
        return Product.objects.of_seller(self.request.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what is on sale, newest first; prices compare within one currency only."""
        by_price = "price" in request.query_params.get("ordering", "")
        if by_price and "currency" not in request.query_params:
            raise InvalidInput("currency", "Name the currency to order by price.")
        return super().list(request, *args, **kwargs)

    # What everyone gets; the seller's answer has all of an own product.
    @extend_schema(responses=ProductSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one product; its seller also sees drafts and the edit under review."""
        product = self.get_object()
        if product.seller_id == request.user.pk:
            return self.answer(product, serializer_class=OwnProductSerializer)
        return self.answer(product, serializer_class=ProductSerializer)

    @extend_schema(responses=OwnProductSerializer(many=True), filters=True)
    @action(detail=False, filterset_class=OwnProductFilter, strict_parameters=True)
    def mine(self, request: Request) -> Response:
        """List the caller's own products in any state."""
        own = Product.objects.of_seller(request.user).for_staff().prefetch_related("revisions")
        return self.list_page(own, OwnProductSerializer)

    @extend_schema(request=ProductInput, responses={201: OwnProductSerializer})
    def create(self, request: Request) -> Response:
        """Create a draft."""
        product = services.create_product(
            actor=caller(request), seller=caller(request), **self.parse(ProductInput)
        )
        return self._own(product, 201)

    @extend_schema(request=ProductInput, responses=OwnProductSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """Replace the content; what matters of a live product goes through review."""
        return self._update(request, self.parse(ProductInput))

    @extend_schema(request=ProductInput(partial=True), responses=OwnProductSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some of the content; what matters of a live product goes through review."""
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

    @extend_schema(request=None, responses=OwnProductSerializer)
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:
        """Send a product, or its edit, to the approval queue."""
        product = self.get_object()
        revision = product.revisions.open().exclude(status="pending").first()
        if revision is not None:
            services.submit_revision(actor=caller(request), revision=revision)
        else:
            product = services.submit_product(
                actor=caller(request), product=product, expected_version=expected_version(request)
            )
        return self._own(product)

    @extend_schema(request=None, responses=OwnProductSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take a product, or its edit, back from the queue."""
        product = self.get_object()
        revision = product.revisions.open().first()
        if revision is not None:
            services.withdraw_revision(actor=caller(request), revision=revision)
        else:
            product = services.withdraw_product(actor=caller(request), product=product)
        return self._own(product)

    @extend_schema(request=None, responses=OwnProductSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Take a product off sale for a while."""
        return self._own(services.pause_product(actor=caller(request), product=self.get_object()))

    @extend_schema(request=None, responses=OwnProductSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Put a paused product on sale again."""
        return self._own(services.resume_product(actor=caller(request), product=self.get_object()))

    @extend_schema(request=ProductImageInput, responses={201: OwnProductSerializer})
    @action(detail=True, methods=["post"])
    def images(self, request: Request, pk: str) -> Response:
        """Upload a picture to the end of `images`; of a live product it goes through review."""
        product = services.add_image(
            actor=caller(request),
            product=self.get_object(),
            expected_version=expected_version(request),
            **self.parse(ProductImageInput),
        )
        return self._own(product, 201)

    @extend_schema(responses=OpenApiResponse(OpenApiTypes.BINARY), filters=False)
    @action(detail=True, url_path=r"images/(?P<key>[0-9a-f]{1,32})")
    def image(self, request: Request, pk: str, key: str) -> Any:
        """Show a picture of a product on sale; of others to its seller and to staff."""
        is_staff = getattr(request.user, "is_acting_staff", False)
        image = services.image_for(
            user=request.user,
            product_id=pk,
            key=key,
            is_trusted_staff=is_staff and not lacks_second_factor(request.user),
        )
        return inline_image_response(image.file.open("rb"), content_type=image.content_type)

    def get_object(self) -> Product:
        """Return the product; what was removed is not found."""
        product = super().get_object()
        if product.status == Product.Status.REMOVED:
            raise NotFound
        return product

    def _update(self, request: Request, changes: dict[str, Any]) -> Response:
        product = services.update_product(
            actor=caller(request),
            product=self.get_object(),
            expected_version=expected_version(request),
            **changes,
        )
        return self._own(product)

    def _own(self, product: Product, status: int = 200) -> Response:
        fresh = Product.objects.for_staff().prefetch_related("revisions").get(pk=product.pk)
        return self.answer(fresh, status, OwnProductSerializer)


class CategoryViewSet(ListAction, RetrieveAction, MemberViewSet):
    """`/api/categories`: where a product can be filed."""

    serializer_class = CategorySerializer
    pagination_class = PagedList
    filterset_class = CategoryFilter
    ordering_fields = ["position", "name"]
    queryset = Category.objects.filter(is_active=True)
