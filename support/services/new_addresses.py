"""Answers do not go to an address that the customer has not confirmed."""

from datetime import datetime

from django.db.models import Min

from support.models import Ticket
from systemadmin.models import AuditEntry
from systemadmin.services.address_history import changes, recent_change


def unconfirmed_change(ticket: Ticket, field: str = "email") -> AuditEntry | None:
    """Return the change of the customer's address since the ticket was opened, while it counts.

    `field` may name the Telegram chat instead.

    Whoever set the new address, platform or staff, would read the answers. The customer confirms
    it by writing on the ticket where they are signed in: a mail may come from whoever set it, and
    so may what a service key writes in the customer's name.
    After `duties.new_address_days` it counts as theirs: the old address was written to.
    """
    if ticket.requester is None:
        return None
    change = recent_change(ticket.requester, field)
    if change is None or change.actor_id == ticket.requester_id:
        return None
    opened = _first_word(ticket)
    if change.occurred_at <= opened:
        return None
    # Taking the old address off first makes the new one no better known.
    since = changes(ticket.requester, field).filter(occurred_at__gt=opened)
    if not any(one.before.get(field) for one in since):
        return None
    wrote = ticket.replies.public().filter(
        author=ticket.requester,
        is_from_customer=True,
        inbound__isnull=True,
        said_at__gt=change.occurred_at,
    )
    by_keys = _written_by_keys(ticket, change.occurred_at)
    return None if wrote.exclude(pk__in=by_keys).exists() else change


def _written_by_keys(ticket: Ticket, after: datetime) -> list[int]:
    """Return the replies that a service key, or a token of its making, wrote for the customer."""
    rows = AuditEntry.objects.filter(
        action="support.ticket.replied",
        actor=ticket.requester,
        occurred_at__gt=after,
        metadata__has_key="service",
    )
    return list(rows.values_list("metadata__reply", flat=True))


def _first_word(ticket: Ticket) -> datetime:
    """Return when the conversation began: what was split off or merged is older than its ticket."""
    first = ticket.replies.aggregate(said=Min("said_at"))["said"]
    return min(first or ticket.created_at, ticket.created_at)
