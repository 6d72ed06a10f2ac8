"""Every write of the marketplace: one function a mutation."""

from marketplace.services.categories import create_category, delete_category, update_category
from marketplace.services.closing import close_month, reopen_month
from marketplace.services.commission import (
    create_rule,
    delete_rule,
    reorder_rules,
    update_rule,
)
from marketplace.services.disputes import add_dispute_message, open_dispute, resolve_dispute
from marketplace.services.fees import (
    create_fee,
    create_fee_tax_rate,
    delete_fee,
    delete_fee_tax_rate,
    save_seller_profile,
    update_fee,
    update_fee_tax_rate,
)
from marketplace.services.images import add_image, image_for
from marketplace.services.ledger import seller_balances
from marketplace.services.ledger_check import check_ledger
from marketplace.services.ledger_exports import note_export
from marketplace.services.moderation import (
    approve_product,
    approve_revision,
    reject_product,
    reject_revision,
    request_product_changes,
    request_revision_changes,
)
from marketplace.services.orders import (
    cancel_order,
    complete_due_orders,
    complete_order,
    create_order,
    expire_reservations,
    pay_order,
)
from marketplace.services.payouts import (
    cancel_payout,
    create_payout,
    fail_payout,
    pay_payout,
    retry_payout,
)
from marketplace.services.products import (
    create_product,
    pause_product,
    remove_product,
    resume_product,
    submit_product,
    update_product,
    withdraw_product,
)
from marketplace.services.quotes import quote_order, quote_sale
from marketplace.services.reason_templates import delete_reason_template, save_reason_template
from marketplace.services.refunds import refund_order
from marketplace.services.revisions import submit_revision, withdraw_revision
from marketplace.services.webhooks import (
    create_endpoint,
    delete_endpoint,
    replay_delivery,
    rotate_secret,
    update_endpoint,
)
from marketplace.services.what_if import lint_rules, preview_fees

__all__ = [
    "add_dispute_message",
    "add_image",
    "approve_product",
    "approve_revision",
    "cancel_order",
    "cancel_payout",
    "check_ledger",
    "close_month",
    "complete_due_orders",
    "complete_order",
    "create_category",
    "create_endpoint",
    "create_fee",
    "create_fee_tax_rate",
    "create_order",
    "create_payout",
    "create_product",
    "create_rule",
    "delete_category",
    "delete_endpoint",
    "delete_fee",
    "delete_fee_tax_rate",
    "delete_reason_template",
    "delete_rule",
    "expire_reservations",
    "fail_payout",
    "image_for",
    "lint_rules",
    "note_export",
    "open_dispute",
    "pause_product",
    "pay_order",
    "pay_payout",
    "preview_fees",
    "quote_order",
    "quote_sale",
    "refund_order",
    "reject_product",
    "reject_revision",
    "remove_product",
    "reopen_month",
    "reorder_rules",
    "replay_delivery",
    "request_product_changes",
    "request_revision_changes",
    "resolve_dispute",
    "resume_product",
    "retry_payout",
    "rotate_secret",
    "save_reason_template",
    "save_seller_profile",
    "seller_balances",
    "submit_product",
    "submit_revision",
    "update_category",
    "update_endpoint",
    "update_fee",
    "update_fee_tax_rate",
    "update_product",
    "update_rule",
    "withdraw_product",
    "withdraw_revision",
]
