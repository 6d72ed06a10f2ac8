"""What happened in the marketplace: signals with ids only, sent inside the transaction."""

from django.dispatch import Signal

product_submitted = Signal()  # product_id
product_approved = Signal()  # product_id
product_rejected = Signal()  # product_id
product_changes_requested = Signal()  # product_id
product_paused = Signal()  # product_id
product_resumed = Signal()  # product_id
product_removed = Signal()  # product_id
revision_submitted = Signal()  # product_id, revision_id
revision_decided = Signal()  # product_id, revision_id
order_created = Signal()  # order_id
order_paid = Signal()  # order_id
order_completed = Signal()  # order_id
order_cancelled = Signal()  # order_id
order_expired = Signal()  # order_id
order_refunded = Signal()  # order_id, refund_id
dispute_opened = Signal()  # order_id, dispute_id
dispute_resolved = Signal()  # order_id, dispute_id
payout_created = Signal()  # payout_id
payout_paid = Signal()  # payout_id
payout_failed = Signal()  # payout_id
payout_retried = Signal()  # payout_id
payout_returned = Signal()  # payout_id
payout_cancelled = Signal()  # payout_id
