"""What an agent reads of a ticket, and how far they have read it."""

from django.utils import timezone

from support import search
from support.models import Attachment, Reply, Ticket, TicketRead
from support.querysets.replies import AttachmentQuerySet, ReplyQuerySet
from support.querysets.tickets import TicketQuerySet
from systemadmin.models import User
from systemadmin.services.duties import accounts_of, is_own_case


def replies_for(*, user: User, ticket: Ticket) -> ReplyQuerySet:
    """Return the replies of a ticket that an agent reads; nobody reads notes about themselves."""
    replies: ReplyQuerySet = ticket.replies.all()
    return replies.public() if is_own_case(user, [ticket.requester_id]) else replies


def may_read(*, user: User, reply: Reply) -> bool:
    """Return whether an agent may be sent a reply of a ticket that they see."""
    return not (reply.is_internal and is_own_case(user, [reply.ticket.requester_id]))


def find_tickets(*, user: User, tickets: TicketQuerySet, query: str) -> TicketQuerySet:
    """Return the tickets with these words; no note about oneself is found by what it says."""
    found = tickets.found_by(query)
    own = found.filter(requester__in=accounts_of(user.pk))
    asked = search.asked(query)
    hidden = [ticket.pk for ticket in own if not _say(ticket, asked)]
    return found.exclude(pk__in=hidden) if hidden else found


def _say(ticket: Ticket, asked: list[str]) -> bool:
    """Return whether every word asked begins a word that the requester may read."""
    said = ticket.replies.public().values_list("body", "original_text")
    texts = [ticket.number, ticket.subject, ticket.customer_name, ticket.customer_email]
    words = search.distinct(*texts, *(text for pair in said for text in pair))
    return all(any(word.startswith(one) for word in words) for one in asked)


def files_for(*, user: User, ticket: Ticket) -> AttachmentQuerySet:
    """Return the files of the replies that an agent reads."""
    return Attachment.objects.filter(reply__in=replies_for(user=user, ticket=ticket))


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
