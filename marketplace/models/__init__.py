"""The tables of the marketplace, one module per aggregate."""

from marketplace.models.catalogue import Category, Product, ProductImage, ProductWord
from marketplace.models.commission import CommissionLine, CommissionRule, CommissionRuleVersion
from marketplace.models.disputes import Dispute, DisputeMessage
from marketplace.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from marketplace.models.moderation import ProductReview, ProductRevision, ReasonTemplate
from marketplace.models.orders import Order, OrderLine, Refund, RefundLine
from marketplace.models.payouts import Payout, PayoutItem
from marketplace.models.webhooks import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
)

__all__ = [
    "Category",
    "CommissionLine",
    "CommissionRule",
    "CommissionRuleVersion",
    "Dispute",
    "DisputeMessage",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Order",
    "OrderLine",
    "Payout",
    "PayoutItem",
    "Product",
    "ProductImage",
    "ProductReview",
    "ProductRevision",
    "ProductWord",
    "ReasonTemplate",
    "Refund",
    "RefundLine",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookMessage",
]
