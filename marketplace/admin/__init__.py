"""The marketplace in the admin."""

from marketplace.admin import (
    books,
    catalogue,
    commissions,
    fees,
    orders,
    products,
    revisions,
    webhooks,
)

__all__ = [
    "books",
    "catalogue",
    "commissions",
    "fees",
    "orders",
    "products",
    "revisions",
    "webhooks",
]
