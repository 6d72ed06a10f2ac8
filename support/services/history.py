"""Writing a ticket's history and audit trail."""

from datetime import datetime
from typing import Any

from support.models import Ticket, TicketEvent
from systemadmin.foundation.context import current
from systemadmin.models import User


def note(
    ticket: Ticket, kind: str, *, actor: User | None, at: datetime, **data: Any
) -> TicketEvent:
    """Add one fact to a ticket's history."""
    return TicketEvent.objects.create(
        ticket=ticket,
        at=at,
        kind=kind,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        data=data,
        request_id=current().request_id or "",
    )
