"""What was bought and what was given back, on the page of an order."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace.admin.columns import money_column
from marketplace.models import OrderLine, Refund
from systemadmin.foundation.admin import ReadOnlyInline


class LineInline(ReadOnlyInline):
    """What was bought."""

    model = OrderLine
    fields: Any = [
        "product",
        "quantity",
        *(
            money_column(OrderLine, name, "order.currency")
            for name in ("unit_price", "shipping", "total", "refunded")
        ),
    ]
    readonly_fields: Any = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the order, which knows the currency."""
        return super().get_queryset(request).select_related("order", "product")


class RefundInline(ReadOnlyInline):
    """What was given back."""

    model = Refund
    fields: Any = [
        "number",
        *(money_column(Refund, name, "order.currency") for name in ("amount", "commission", "tax")),
        "reason",
        "actor",
        "created_at",
    ]
    readonly_fields: Any = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the order, which knows the currency."""
        return super().get_queryset(request).select_related("order", "actor")
