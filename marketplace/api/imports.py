"""What happened on the platform: orders that it took, and listings that it sends to review."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.serializers.imports import (
    ImportedOrderBody,
    ImportedOrdersBody,
    ImportedOrdersInput,
    ImportedOrdersResult,
    ListingInput,
    ListingsBody,
    ListingsInput,
    ListingsResult,
    refusal_of,
)
from marketplace.api.serializers.orders import StaffOrderDetailSerializer
from marketplace.models import Order
from marketplace.services.listings import Pushed
from systemadmin.foundation.api import StaffViewSet
from systemadmin.foundation.api.problems import flatten
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.references import LONGEST_EXTERNAL_ID


class ImportedOrders(StaffViewSet):
    """Mixin of `/api/admin/orders`: orders that happened elsewhere."""

    @extend_schema(
        request=ImportedOrderBody,
        responses={201: StaffOrderDetailSerializer, 200: StaffOrderDetailSerializer},
        summary="Import an order that happened elsewhere",
    )
    def create(self, request: Request) -> Response:
        """Write the order once: the same again answers 200, other facts 409.

        With `payment` the caller needs `pay_order`, too, with `completed_at` `complete_order`.
        """
        order, is_new = services.import_order(actor=caller(request), row=request.data)
        shown = Order.objects.with_lines().get(pk=order.pk)
        return self.answer(shown, 201 if is_new else 200, StaffOrderDetailSerializer)

    @extend_schema(
        request=ImportedOrdersBody,
        responses=ImportedOrdersResult,
        summary="Import up to 1,000 orders",
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Write each order once; every row is judged by itself."""
        rows = self.parse(ImportedOrdersInput)["orders"]
        done = services.import_orders(actor=caller(request), rows=rows)
        results = [
            {
                "index": one.index,
                "external_id": one.external_id,
                "status": one.status,
                "id": one.order_id,
            }
            | (refusal_of(one.refusal) if one.refusal else {})
            for one in done
        ]
        return Response(_summary(results, ("created", "known", "refused")))


class PushedProducts(StaffViewSet):
    """Mixin of `/api/admin/products`: listings of the platform."""

    @extend_schema(
        request=ListingsBody,
        responses=ListingsResult,
        summary="Send up to 100 listings of the platform to review",
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Create or change listings by their external ids; verdicts come as events."""
        rows = self.parse(ListingsInput)["products"]
        good, wrong = self._judged(rows)
        pushed = services.push_products(actor=caller(request), rows=list(good.values()))
        done = dict(zip(good, pushed, strict=True)) | wrong
        results = [
            {
                "index": index,
                "external_id": one.external_id,
                "status": one.status,
                "id": one.product.pk if one.product else None,
            }
            | (refusal_of(one.refusal) if one.refusal else {})
            for index, one in sorted(done.items())
        ]
        return Response(_summary(results, ("created", "updated", "unchanged", "refused")))

    def _judged(self, rows: Sequence[Any]) -> tuple[dict[int, Any], dict[int, Pushed]]:
        good: dict[int, Any] = {}
        wrong: dict[int, Pushed] = {}
        seen: set[str] = set()
        for index, row in enumerate(rows):
            try:
                listing = self._read(row)
                if listing["external_id"] in seen:
                    detail = _("The same external id stands in another row.")
                    raise InvalidInput("external_id", detail, code="repeated")
                seen.add(listing["external_id"])
                good[index] = listing
            except InvalidInput as refusal:
                name = str(row.get("external_id") or "") if isinstance(row, dict) else ""
                wrong[index] = Pushed(name[:LONGEST_EXTERNAL_ID], "refused", refusal=refusal)
        return good, wrong

    def _read(self, row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise InvalidInput("", _("An object with named fields."), code="not_an_object")
        serializer = ListingInput(data=row, context=self.get_serializer_context())
        if not serializer.is_valid():
            raise InvalidInput.of(flatten(serializer.errors))
        listing: dict[str, Any] = serializer.validated_data
        return listing


def _summary(results: list[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    counted = Counter(one["status"] for one in results)
    return {name: counted[name] for name in names} | {"results": results}
