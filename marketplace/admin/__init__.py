"""The marketplace in the admin."""

from marketplace.admin import (
    books,
    catalogue,
    closing,
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
    "closing",
    "commissions",
    "fees",
    "orders",
    "products",
    "revisions",
    "webhooks",
]
