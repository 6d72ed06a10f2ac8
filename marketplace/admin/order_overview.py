"""The head of an order's page: who sold to whom, how far it is, and where the money is."""

from __future__ import annotations

from typing import Any

from django.db.models import BigIntegerField
from django.urls import reverse
from django.utils.text import capfirst

from marketplace.models import Order
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money

AMOUNTS = tuple(
    field.name
    for field in Order._meta.concrete_fields
    if isinstance(field, BigIntegerField) and field.name != "id"
)
# Shown at nought too: what one asks first.
ALWAYS = {"total", "refunded"}
MOMENTS = ("created_at", "paid_at", "completed_at", "closed_at")


def order_overview(order: Order, user: Any) -> dict[str, Any]:
    """Return what the head shows; of the amounts those that are not nought."""
    return {
        "buyer": _person(order.buyer, user),
        "seller": _person(order.seller, user),
        "status": order.get_status_display(),
        "reason": order.cancel_reason,
        "amounts": [
            (_title(name), format_money(getattr(order, name), order.currency))
            for name in AMOUNTS
            if getattr(order, name) or name in ALWAYS
        ],
        "moments": [
            (_title(name), getattr(order, name)) for name in MOMENTS if getattr(order, name)
        ],
    }


def _title(name: str) -> str:
    field: Any = Order._meta.get_field(name)
    return str(capfirst(field.verbose_name))


def _person(account: Any, user: Any) -> dict[str, Any]:
    page = reverse("admin:systemadmin_user_change", args=[account.pk])
    return {
        "name": display_name(account),
        "username": account.get_username(),
        "url": page if user.has_perm("systemadmin.view_user") else "",
    }
