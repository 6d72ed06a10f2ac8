"""What the rows of the audit trail are about, as people read it, by the middle of the action."""

from django.utils.translation import pgettext_lazy

THINGS = [
    ("marketplace.bank_line", pgettext_lazy("audited", "Line of the bank")),
    ("marketplace.bank_statement", pgettext_lazy("audited", "Bank statement")),
    ("marketplace.category", pgettext_lazy("audited", "Category")),
    ("marketplace.commission_rule", pgettext_lazy("audited", "Commission rule")),
    ("marketplace.commission_rules", pgettext_lazy("audited", "Commission rules")),
    ("marketplace.dispute", pgettext_lazy("audited", "Dispute")),
    ("marketplace.fee", pgettext_lazy("audited", "Fee")),
    ("marketplace.fee_tax_rate", pgettext_lazy("audited", "Tax on fees")),
    ("marketplace.journal", pgettext_lazy("audited", "Journal entry")),
    ("marketplace.ledger", pgettext_lazy("audited", "Ledger")),
    ("marketplace.month", pgettext_lazy("audited", "Month")),
    ("marketplace.order", pgettext_lazy("audited", "Order")),
    ("marketplace.orders", pgettext_lazy("audited", "Orders of the platform")),
    ("marketplace.payment_event", pgettext_lazy("audited", "Event of a payment service")),
    ("marketplace.payment_hook", pgettext_lazy("audited", "Payment hook")),
    ("marketplace.payout", pgettext_lazy("audited", "Payout")),
    ("marketplace.payout_batch", pgettext_lazy("audited", "Batch of payouts")),
    ("marketplace.product", pgettext_lazy("audited", "Product")),
    ("marketplace.reason_template", pgettext_lazy("audited", "Reason template")),
    ("marketplace.revision", pgettext_lazy("audited", "Edit of a product")),
    ("marketplace.seller", pgettext_lazy("audited", "Seller")),
    ("marketplace.seller_profile", pgettext_lazy("audited", "Seller")),
    ("marketplace.statements", pgettext_lazy("audited", "Statements of sellers")),
    ("marketplace.webhook", pgettext_lazy("audited", "Webhook")),
    ("marketplace.webhook_endpoint", pgettext_lazy("audited", "Webhook receiver")),
]
