"""What the support desk publishes in the event log."""

from typing import Any

from support.models import Ticket
from systemadmin.foundation.context import new_request_id
from systemadmin.services import publish_event


def announce_ticket(ticket: Ticket, what: str, *, key: str = "", **more: Any) -> None:
    """Publish a step of a ticket; `key` names the step where it has a number of its own."""
    publish_event(
        f"ticket.{what}",
        key=f"ticket-{ticket.pk}-{what}-{key or new_request_id()}",
        data={
            "id": ticket.pk,
            "number": ticket.number,
            "user": ticket.requester_id,
            "status": ticket.status,
            "priority": ticket.priority,
            "assignee": ticket.assignee_id,
            **more,
        },
    )
