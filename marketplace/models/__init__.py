"""The tables of the marketplace, one module per aggregate."""

from marketplace.models.bank import BankLine, BankMatch, BankStatement
from marketplace.models.batches import PayoutBatch
from marketplace.models.catalogue import Category, Product, ProductImage, ProductWord
from marketplace.models.closing import ClosedMonth
from marketplace.models.commission import (
    CommissionFee,
    CommissionRule,
    CommissionRuleVersion,
)
from marketplace.models.disputes import Dispute, DisputeMessage
from marketplace.models.fees import CommissionCharge, CommissionLine, FeeTaxRate
from marketplace.models.journal import JournalEntry, JournalLine
from marketplace.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from marketplace.models.moderation import ProductReview, ProductRevision, ReasonTemplate
from marketplace.models.orders import Order, OrderLine, Refund, RefundLine
from marketplace.models.payment_hooks import PaymentEvent, PaymentHook
from marketplace.models.payouts import Payout, PayoutCharge, PayoutItem
from marketplace.models.sellers import SellerProfile
from marketplace.models.statements import CommissionInvoice, InvoiceSeries, SellerStatement

__all__ = [
    "BankLine",
    "BankMatch",
    "BankStatement",
    "Category",
    "ClosedMonth",
    "CommissionCharge",
    "CommissionFee",
    "CommissionInvoice",
    "CommissionLine",
    "CommissionRule",
    "CommissionRuleVersion",
    "Dispute",
    "DisputeMessage",
    "FeeTaxRate",
    "InvoiceSeries",
    "JournalEntry",
    "JournalLine",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Order",
    "OrderLine",
    "PaymentEvent",
    "PaymentHook",
    "Payout",
    "PayoutBatch",
    "PayoutCharge",
    "PayoutItem",
    "Product",
    "ProductImage",
    "ProductReview",
    "ProductRevision",
    "ProductWord",
    "ReasonTemplate",
    "Refund",
    "RefundLine",
    "SellerProfile",
    "SellerStatement",
]
