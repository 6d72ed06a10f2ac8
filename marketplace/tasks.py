"""What the queue and the schedules run: one service call each."""

from marketplace import services
from marketplace.services import payment_events


def expire_reservations() -> int:
    """Free the stock of unpaid orders."""
    return services.expire_reservations()


def run_payouts() -> int:
    """Create the payouts that are due today."""
    return services.run_payouts()


def complete_due_orders() -> int:
    """Complete orders that were paid long ago."""
    return services.complete_due_orders()


def process_payment_event(event_id: int) -> bool:
    """Do what an event of a payment service says."""
    return payment_events.process_event(event_id)


def process_payment_events() -> int:
    """Work through events of payment services that are due."""
    return payment_events.process_due()
