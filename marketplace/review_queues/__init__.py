"""What is decided about the market at the review desk."""

from marketplace.review_queues.money import DISPUTES, PAYOUTS
from marketplace.review_queues.products import EDITS, PRODUCTS

__all__ = ["DISPUTES", "EDITS", "PAYOUTS", "PRODUCTS"]
