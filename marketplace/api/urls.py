"""Routes of the marketplace, below `/api/`."""

from django.urls import path

from marketplace.api.bank import BankLineViewSet, BankStatementViewSet
from marketplace.api.closing import ClosedMonthViewSet
from marketplace.api.commissions import CommissionRuleViewSet, CommissionViewSet, SalesViewSet
from marketplace.api.fees import CommissionFeeViewSet, FeeTaxRateViewSet
from marketplace.api.finance import LedgerViewSet, PayoutViewSet, SellerViewSet
from marketplace.api.journal import JournalViewSet
from marketplace.api.moderation import (
    ReasonTemplateViewSet,
    RevisionViewSet,
    StaffCategoryViewSet,
    StaffProductViewSet,
)
from marketplace.api.orders import OrderViewSet
from marketplace.api.own_sales import OwnPayoutViewSet, OwnSellerViewSet
from marketplace.api.payment_hooks import HookViewSet, PaymentEventViewSet, PaymentHookViewSet
from marketplace.api.payout_batches import PayoutBatchViewSet
from marketplace.api.products import CategoryViewSet, ProductViewSet
from marketplace.api.staff_orders import DisputeViewSet, StaffOrderViewSet
from marketplace.api.statements import (
    OwnInvoiceViewSet,
    OwnStatementViewSet,
    StaffInvoiceViewSet,
    StaffStatementViewSet,
)
from systemadmin.foundation.api import Router

router = Router()
router.register("products", ProductViewSet, basename="product")
router.register("categories", CategoryViewSet, basename="category")
router.register("orders", OrderViewSet, basename="order")
router.register("seller/payouts", OwnPayoutViewSet, basename="own-payout")
router.register("seller/statements", OwnStatementViewSet, basename="own-statement")
router.register("seller/invoices", OwnInvoiceViewSet, basename="own-invoice")
router.register("seller", OwnSellerViewSet, basename="own-seller")
router.register("admin/products", StaffProductViewSet, basename="admin-product")
router.register("admin/product-revisions", RevisionViewSet, basename="admin-revision")
router.register("admin/categories", StaffCategoryViewSet, basename="admin-category")
router.register("admin/reason-templates", ReasonTemplateViewSet, basename="admin-reason")
router.register("admin/commission-rules", CommissionRuleViewSet, basename="admin-rule")
router.register("admin/fees", CommissionFeeViewSet, basename="admin-fee")
router.register("admin/fee-tax-rates", FeeTaxRateViewSet, basename="admin-fee-tax-rate")
router.register("admin/commissions", CommissionViewSet, basename="admin-commission")
router.register("admin/sales", SalesViewSet, basename="admin-sales")
router.register("admin/payment-hooks", PaymentHookViewSet, basename="admin-payment-hook")
router.register("admin/payment-events", PaymentEventViewSet, basename="payment-event")
router.register("admin/orders", StaffOrderViewSet, basename="admin-order")
router.register("admin/disputes", DisputeViewSet, basename="admin-dispute")
router.register("admin/sellers", SellerViewSet, basename="admin-seller")
router.register("admin/payouts", PayoutViewSet, basename="admin-payout")
router.register("admin/ledger", LedgerViewSet, basename="admin-ledger")
router.register("admin/closed-months", ClosedMonthViewSet, basename="admin-closed-month")
router.register("admin/journal", JournalViewSet, basename="admin-journal")
router.register("admin/payout-batches", PayoutBatchViewSet, basename="admin-payout-batch")
router.register("admin/seller-statements", StaffStatementViewSet, basename="admin-statement")
router.register("admin/commission-invoices", StaffInvoiceViewSet, basename="admin-invoice")
router.register("admin/bank-statements", BankStatementViewSet, basename="admin-bank-statement")
router.register("admin/bank-lines", BankLineViewSet, basename="admin-bank-line")

urlpatterns = [
    path("hooks/<slug:name>", HookViewSet.as_view({"post": "receive"}), name="payment-hook"),
    *router.urls,
]
