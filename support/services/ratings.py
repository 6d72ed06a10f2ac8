"""The customer's verdict."""

from django.db import transaction
from django.utils import timezone

from support.errors import AlreadyRated, NotResolvedYet
from support.models import Ticket, TicketEvent, TicketRating
from support.services import concerned
from support.services.announcements import announce_ticket
from support.services.history import note
from support.services.tickets import lock_ticket
from systemadmin import audit
from systemadmin.models import User
from systemadmin.services.duties import decides


@decides("support.rate_ticket", permission="", concerns=concerned.answering_agent, actor="user")
@transaction.atomic
def rate_ticket(*, user: User, ticket: Ticket, score: int, comment: str = "") -> TicketRating:
    """Rate a resolved ticket, once."""
    locked = lock_ticket(ticket)
    if not locked.is_done:
        raise NotResolvedYet
    if TicketRating.objects.filter(ticket=locked).exists():
        raise AlreadyRated
    now = timezone.now()
    rating = TicketRating(
        ticket=locked,
        score=score,
        comment=comment.strip(),
        assignee=locked.assignee,
        rated_at=now,
    )
    rating.full_clean()
    rating.save()
    note(locked, TicketEvent.Kind.RATED, actor=user, at=now, score=score)
    audit.record("support.ticket.rated", actor=user, target=locked, after={"score": score})
    announce_ticket(locked, "rated", key="1", score=score)
    return rating
