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
    payment_hooks,
    payout_batches,
    products,
    revisions,
    sellers,
    statements,
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
    "payment_hooks",
    "payout_batches",
    "products",
    "revisions",
    "sellers",
    "statements",
]
