"""What the queue and the schedules run: one service call each."""

from marketplace import services
from marketplace.services import webhooks


def deliver_webhook(delivery_id: int) -> bool:
    """Try one delivery."""
    return webhooks.OUTBOX.deliver(delivery_id)


def deliver_due_webhooks() -> int:
    """Pick up deliveries whose next attempt is due."""
    return len(webhooks.OUTBOX.deliver_due())


def expire_reservations() -> int:
    """Free the stock of unpaid orders."""
    return services.expire_reservations()


def run_payouts() -> int:
    """Create the payouts that are due today."""
    return services.run_payouts()


def complete_due_orders() -> int:
    """Complete orders that were paid long ago."""
    return services.complete_due_orders()
