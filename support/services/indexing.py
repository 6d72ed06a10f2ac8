"""The stored words that search looks through."""

from support import search
from support.models import Ticket, TicketSearch


def index_ticket(ticket: Ticket, *texts: str) -> None:
    """Store the words of a new ticket: its number, subject, people and first message."""
    words = search.document(
        ticket.number, ticket.subject, ticket.customer_name, ticket.customer_email, *texts
    )
    TicketSearch.objects.update_or_create(ticket=ticket, defaults={"document": words})


def index_text(ticket: Ticket, text: str) -> None:
    """Add the words of a further text; the caller holds the ticket's lock."""
    row, _created = TicketSearch.objects.get_or_create(ticket=ticket)
    longer = search.extended(row.document, text)
    if longer != row.document:
        TicketSearch.objects.filter(pk=row.pk).update(document=longer)


def reindex(ticket: Ticket) -> None:
    """Start over from what is on the ticket now."""
    index_ticket(
        ticket,
        *(text for pair in ticket.replies.values_list("body", "original_text") for text in pair),
    )
