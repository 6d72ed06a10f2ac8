"""What staff search at the marketplace: orders by number or reference, products by words."""

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models import Order, Product
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.foundation.plugins import Hit, SearchSource
from systemadmin.foundation.waiting import change_page


def _id(text: str) -> int | None:
    try:
        return parse_whole_number(text.lstrip("#"))
    except Unreadable:
        return None


def find_orders(user: Any, text: str, limit: int) -> list[Hit]:
    """Return orders by number or by the whole reference of their payment."""
    asked = Q(payment_reference=text)
    number = _id(text)
    if number is not None:
        asked |= Q(pk=number)
    rows = Order.objects.filter(asked).select_related("buyer", "seller").order_by("-pk")[:limit]
    return [
        Hit(
            title=_("Order %(number)s") % {"number": order.pk},
            url=change_page(order),
            text=f"{_parties(order)} · {order.get_status_display()}",
            badge=format_money(order.total, order.currency),
        )
        for order in rows
    ]


def _parties(order: Order) -> str:
    return f"{display_name(order.buyer)} → {display_name(order.seller)}"


def find_products(user: Any, text: str, limit: int) -> list[Hit]:
    """Return products by number, or by how words of title and attributes begin."""
    rows = Product.objects.select_related("seller").defer("description", "reviewed_content")
    number = _id(text)
    found = list(rows.filter(pk=number)) if number is not None else []
    found += rows.matching(text).order_by("-pk")[:limit]
    unique = {product.pk: product for product in found}
    return [
        Hit(
            title=product.title,
            url=change_page(product),
            text=_seller_and_price(product),
            badge=product.get_status_display(),
        )
        for product in list(unique.values())[:limit]
    ]


def _seller_and_price(product: Product) -> str:
    return f"{display_name(product.seller)} · {format_money(product.price, product.currency)}"


SOURCES = [
    SearchSource(
        code="orders",
        title=_("Orders"),
        permission="marketplace.view_order",
        icon="package",
        find=find_orders,
        order=30,
    ),
    SearchSource(
        code="products",
        title=_("Products"),
        permission="marketplace.view_product",
        icon="tag",
        find=find_products,
        order=31,
    ),
]
