"""What the queue runs for this desk."""

from messaging import services


def deliver_broadcast(broadcast_id: int) -> int:
    """Deliver a broadcast as far as one task goes."""
    return services.deliver_broadcast(broadcast_id)


def start_due_broadcasts() -> int:
    """Start scheduled broadcasts and resume abandoned ones."""
    return services.start_due_broadcasts()


def send_due_notices() -> int:
    """Tell members of what stayed unread."""
    return services.send_due_notices()


def report_to_risk_engine() -> int:
    """Tell the risk engine about messages sent since the last time."""
    told = 0
    while count := services.report_sent_messages():
        told += count
    return told


def expire() -> dict[str, int]:
    """Apply retention to messages, event journals and reports."""
    return {
        "messages": services.expire_messages(),
        "stream_events": services.prune_stream(),
        "reports": services.expire_reports(),
    }
