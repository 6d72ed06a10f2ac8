"""What open pages wait for on this desk: every change of a ticket is a row of its history."""

from support.models import TicketEvent
from systemadmin.foundation.live_topics import Topic

NEWEST = 200


def _events() -> list[tuple[int, int]]:
    return list(TicketEvent.objects.order_by("-pk").values_list("pk", "ticket_id")[:NEWEST])


TOPICS = [Topic(code="tickets", permission="support.view_ticket", read=_events)]
