"""How far each agent has read a ticket."""

from django.utils import timezone

from support.models import Ticket, TicketRead
from systemadmin.models import User


def mark_read(*, user: User, ticket: Ticket) -> None:
    """Note that an agent has read a ticket up to its last reply."""
    last = ticket.last_reply_id
    known = TicketRead.objects.filter(ticket=ticket, user=user)
    # A page that only looks again writes nothing.
    if last is None or known.filter(up_to__gte=last).exists():
        return
    TicketRead.objects.update_or_create(
        ticket=ticket,
        user=user,
        defaults={"up_to": last, "read_at": timezone.now()},
    )


def mark_unread(*, user: User, ticket: Ticket) -> None:
    """Let a ticket stand as unread again."""
    TicketRead.objects.filter(ticket=ticket, user=user).delete()
