"""The stored words that search looks through."""

from collections.abc import Iterable

from support import search
from support.models import Ticket, TicketSearch, TicketSearchPart


def index_ticket(ticket: Ticket, *texts: str) -> None:
    """Store the words of a new ticket: its number, subject, people and first message."""
    people = (ticket.customer_name, ticket.customer_email)
    rows = search.extended([], search.distinct(ticket.number, ticket.subject, *people, *texts))
    TicketSearch.objects.update_or_create(ticket=ticket, defaults={"document": rows[0]})
    TicketSearchPart.objects.filter(ticket=ticket).delete()
    _add_parts(ticket, rows[1:])


def index_text(ticket: Ticket, text: str) -> None:
    """Add the words of a further text; the caller holds the ticket's lock."""
    index_words(ticket, search.distinct(text))


def index_words(ticket: Ticket, words: Iterable[str]) -> None:
    """Add words as they are stored; the caller holds the ticket's lock."""
    row, _created = TicketSearch.objects.get_or_create(ticket=ticket)
    parts = list(TicketSearchPart.objects.filter(ticket=ticket).order_by("pk"))
    stored: list[TicketSearch | TicketSearchPart] = [row, *parts]
    longer = search.extended([one.document for one in stored], words)
    for one, document in zip(stored, longer, strict=False):
        if document != one.document:
            type(one)._default_manager.filter(pk=one.pk).update(document=document)
    _add_parts(ticket, longer[len(stored) :])


def words_of(ticket: Ticket) -> list[str]:
    """Return all stored words of a ticket."""
    rows = [
        *TicketSearch.objects.filter(ticket=ticket).values_list("document", flat=True),
        *TicketSearchPart.objects.filter(ticket=ticket).values_list("document", flat=True),
    ]
    return [word for row in rows for word in row.split()]


def reindex(ticket: Ticket) -> None:
    """Start over from what is on the ticket now."""
    index_ticket(
        ticket,
        *(text for pair in ticket.replies.values_list("body", "original_text") for text in pair),
    )


def _add_parts(ticket: Ticket, documents: Iterable[str]) -> None:
    TicketSearchPart.objects.bulk_create(
        [TicketSearchPart(ticket=ticket, document=document) for document in documents]
    )
