"""What the queue runs for this desk."""

from messaging import services
from systemadmin.models import User


def deliver_broadcast(broadcast_id: int) -> int:
    """Deliver a broadcast as far as one task goes."""
    return services.deliver_broadcast(broadcast_id)


def start_due_broadcasts() -> int:
    """Start scheduled broadcasts and resume abandoned ones."""
    return services.start_due_broadcasts()


def send_due_notices() -> int:
    """Notify members of what stayed unread."""
    return services.send_due_notices()


def report_to_risk_engine() -> int:
    """Record the messages sent since the last time in the risk engine."""
    told = services.report_failed_messages()
    while count := services.report_sent_messages():
        told += count
    return told


def erase_member(
    user_id: int, actor_id: int | None, reason: str, requested_at: str | None = None
) -> int:
    """Erase what a member wrote.

    `requested_at` is not used; tasks that a release before this one has queued give it.
    """
    people = User.objects.in_bulk([user_id, *filter(None, [actor_id])])
    return services.erase_member(
        actor=people.get(actor_id) if actor_id else None,
        user=people[user_id],
        reason=reason,
    )
