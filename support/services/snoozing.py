"""Setting tickets aside until a time."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from support.errors import TicketDone
from support.models import Ticket, TicketEvent
from support.services import concerned
from support.services.history import note
from support.services.tickets import finish, lock_ticket
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User
from systemadmin.services.duties import decides

LONGEST = timedelta(days=366)


@decides("support.snooze", permission="support.change_ticket", concerns=concerned.requester)
@transaction.atomic
def snooze_ticket(*, actor: User, ticket: Ticket, until: datetime | None) -> Ticket:
    """Set a ticket aside until a time, or with None take it back; the clocks go on.

    What the customer writes takes it back too. Raises `TicketDone`, and `InvalidInput` for a
    moment that has passed or is more than a year away.
    """
    locked = lock_ticket(ticket)
    now = timezone.now()
    if until is not None:
        if locked.is_done:
            raise TicketDone
        _check_moment(until, now)
    before = locked.snoozed_until
    if before == until:
        return locked
    locked.snoozed_until = until
    moments = {"from": _written(before), "to": _written(until)}
    note(locked, TicketEvent.Kind.SNOOZED, actor=actor, at=now, **moments)
    finish(locked, now=now)
    audit.record(
        "support.ticket.snoozed", actor=actor, target=locked, metadata={"until": _written(until)}
    )
    return locked


def _check_moment(until: datetime, now: datetime) -> None:
    if until <= now:
        raise InvalidInput("until", _("This moment has passed."), code="past")
    if until > now + LONGEST:
        raise InvalidInput("until", _("At most a year ahead."), code="too_far")


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
