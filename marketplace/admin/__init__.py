"""The marketplace in the admin."""

from marketplace.admin import (
    bank,
    books,
    catalogue,
    closing,
    commissions,
    fees,
    journal,
    orders,
    payout_batches,
    products,
    revisions,
    sellers,
    statements,
    webhooks,
)

__all__ = [
    "bank",
    "books",
    "catalogue",
    "closing",
    "commissions",
    "fees",
    "journal",
    "orders",
    "payout_batches",
    "products",
    "revisions",
    "sellers",
    "statements",
    "webhooks",
]
