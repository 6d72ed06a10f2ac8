"""Mail that came before the mail it answers: taken in once that one is here."""

from collections.abc import Iterable

from support import lifecycle
from support.models import Ticket
from support.services.mail_places import link_threads, takes_part
from support.services.merging import merge_tickets
from support.services.participants import add_participants


def merge_earlier_answers(late: Iterable[Ticket], ticket: Ticket) -> None:
    """Put tickets whose mail answers a mail of `ticket` where they had gone in the other order.

    Only what nobody has worked on yet, and only where each of the two has written to the other or
    both are one person: whoever makes up an id reads nothing. The rest is linked.
    """
    for earlier in late:
        if earlier.pk == ticket.pk:
            continue
        if _may_be_taken_in(earlier, ticket):
            merge_tickets(actor=None, source=earlier, into=ticket, is_across_people=True)
            add_participants(ticket, [(earlier.customer_email, earlier.customer_name)])
        elif takes_part(earlier, ticket.customer_email):
            link_threads(earlier, ticket)


def _may_be_taken_in(earlier: Ticket, ticket: Ticket) -> bool:
    is_same_place = (earlier.category_id, earlier.mailbox_id) == (
        ticket.category_id,
        ticket.mailbox_id,
    )
    return (
        takes_part(earlier, ticket.customer_email)
        and takes_part(ticket, earlier.customer_email)
        and (is_same_place or not (earlier.is_confined or ticket.is_confined))
        and earlier.channel == Ticket.Channel.EMAIL
        and earlier.status != lifecycle.CLOSED
        and not earlier.events.exclude(actor=None).exists()
    )
