"""Every write of the marketplace: one function a mutation."""

from marketplace.services.bank import (
    entries_like,
    import_bank_statement,
    match_bank_line,
    match_bank_lines,
    reconciliation,
    unmatch_bank_line,
)
from marketplace.services.books import only_currency
from marketplace.services.categories import create_category, delete_category, update_category
from marketplace.services.chargebacks import (
    appeal_dispute,
    evidence_pack,
    record_chargeback,
)
from marketplace.services.closing import close_month, month_to_close, reopen_month
from marketplace.services.commission import (
    create_rule,
    delete_rule,
    reorder_rules,
    update_rule,
)
from marketplace.services.disputes import (
    add_dispute_message,
    open_dispute,
    open_dispute_for_party,
    resolve_dispute,
)
from marketplace.services.fees import (
    create_fee,
    create_fee_tax_rate,
    delete_fee,
    delete_fee_tax_rate,
    update_fee,
    update_fee_tax_rate,
)
from marketplace.services.images import add_image, image_for
from marketplace.services.journal import (
    post_journal_entry,
    reverse_journal_entry,
    usual_lines,
)
from marketplace.services.ledger import seller_balances
from marketplace.services.ledger_check import check_ledger
from marketplace.services.ledger_exports import note_export
from marketplace.services.listings import push_products
from marketplace.services.moderation import (
    approve_product,
    approve_revision,
    reject_product,
    reject_revision,
    request_product_changes,
    request_revision_changes,
)
from marketplace.services.order_creation import create_order
from marketplace.services.order_imports import import_order, import_orders
from marketplace.services.orders import (
    cancel_order,
    complete_due_orders,
    complete_order,
    expire_reservations,
    pay_order,
)
from marketplace.services.payout_batches import (
    create_payout_batch,
    pay_payout_batch,
    payout_file,
)
from marketplace.services.payout_preview import preview_payout
from marketplace.services.payouts import (
    cancel_payout,
    create_payout,
    fail_payout,
    hold_reasons,
    pay_payout,
    retry_payout,
    run_payouts,
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
from marketplace.services.sellers import (
    check_identity,
    save_own_details,
    save_seller_profile,
)
from marketplace.services.statements import make_statements
from marketplace.services.undo import undo_product_decision, undo_revision_decision
from marketplace.services.what_if import lint_rules, preview_fees

__all__ = [
    "add_dispute_message",
    "add_image",
    "appeal_dispute",
    "approve_product",
    "approve_revision",
    "cancel_order",
    "cancel_payout",
    "check_identity",
    "check_ledger",
    "close_month",
    "complete_due_orders",
    "complete_order",
    "create_category",
    "create_fee",
    "create_fee_tax_rate",
    "create_order",
    "create_payout",
    "create_payout_batch",
    "create_product",
    "create_rule",
    "delete_category",
    "delete_fee",
    "delete_fee_tax_rate",
    "delete_reason_template",
    "delete_rule",
    "entries_like",
    "evidence_pack",
    "expire_reservations",
    "fail_payout",
    "hold_reasons",
    "image_for",
    "import_bank_statement",
    "import_order",
    "import_orders",
    "lint_rules",
    "make_statements",
    "match_bank_line",
    "match_bank_lines",
    "month_to_close",
    "note_export",
    "only_currency",
    "open_dispute",
    "open_dispute_for_party",
    "pause_product",
    "pay_order",
    "pay_payout",
    "pay_payout_batch",
    "payout_file",
    "post_journal_entry",
    "preview_fees",
    "preview_payout",
    "push_products",
    "quote_order",
    "quote_sale",
    "reconciliation",
    "record_chargeback",
    "refund_order",
    "reject_product",
    "reject_revision",
    "remove_product",
    "reopen_month",
    "reorder_rules",
    "request_product_changes",
    "request_revision_changes",
    "resolve_dispute",
    "resume_product",
    "retry_payout",
    "reverse_journal_entry",
    "run_payouts",
    "save_own_details",
    "save_reason_template",
    "save_seller_profile",
    "seller_balances",
    "submit_product",
    "submit_revision",
    "undo_product_decision",
    "undo_revision_decision",
    "unmatch_bank_line",
    "update_category",
    "update_fee",
    "update_fee_tax_rate",
    "update_product",
    "update_rule",
    "usual_lines",
    "withdraw_product",
    "withdraw_revision",
]
