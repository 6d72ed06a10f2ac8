"""What an agent reads of a ticket, and how far they have read it."""

from django.utils import timezone

from support.models import Attachment, Ticket, TicketRead
from support.querysets.replies import AttachmentQuerySet, ReplyQuerySet
from systemadmin.models import User
from systemadmin.services.duties import accounts_of


def replies_for(*, user: User, ticket: Ticket) -> ReplyQuerySet:
    """Return the replies of a ticket that an agent reads; nobody reads notes about themselves."""
    replies: ReplyQuerySet = ticket.replies.all()
    if ticket.requester_id is None or ticket.requester_id not in accounts_of(user.pk):
        return replies
    return replies.public()


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
