"""Who is looking at a ticket now."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from support.models import Ticket, TicketPresence
from systemadmin.models import User

FRESH = timedelta(seconds=60)


def record_presence(*, ticket: Ticket, user: User, is_writing: bool = False) -> QuerySet:
    """Note that an agent has the ticket open; returns who else has."""
    TicketPresence.objects.update_or_create(
        ticket=ticket,
        user=user,
        defaults={"seen_at": timezone.now(), "is_writing": is_writing},
    )
    return others(ticket=ticket, user=user)


def others(*, ticket: Ticket, user: User) -> QuerySet:
    """Return who else has the ticket open, writers first."""
    return (
        TicketPresence.objects.filter(ticket=ticket, seen_at__gte=timezone.now() - FRESH)
        .exclude(user=user)
        .select_related("user")
        .order_by("-is_writing", "-seen_at")
    )


def leave(*, ticket: Ticket, user: User) -> None:
    """Note that an agent is done with the ticket."""
    TicketPresence.objects.filter(ticket=ticket, user=user).delete()


def forget_old() -> int:
    """Drop notes of those who went away without a word."""
    gone, _rows = TicketPresence.objects.filter(seen_at__lt=timezone.now() - 10 * FRESH).delete()
    return gone
