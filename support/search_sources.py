"""What staff search at the support desk: tickets by number or words."""

import re
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from support.models import Ticket
from support.services.readings import find_tickets as find_by_words
from systemadmin.foundation.display import display_name
from systemadmin.foundation.plugins import Hit, SearchSource
from systemadmin.foundation.waiting import change_page

_NUMBER = re.compile(r"(?:t-)?(?:(?P<year>20\d\d)-)?(?P<number>\d{1,6})", re.IGNORECASE)


def numbers(text: str, year: int) -> list[str]:
    """Return the ticket numbers a text may mean: "412" is one of this year or the last."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return []
    years = [int(found["year"])] if found["year"] else [year, year - 1]
    return [f"T-{one}-{int(found['number']):06d}" for one in years]


def find_tickets(user: Any, text: str, limit: int) -> list[Hit]:
    """Return the tickets this agent may see: by number first, then by words, newest first."""
    seen = Ticket.objects.visible_to(user).select_related("requester")
    asked = numbers(text, timezone.now().year)
    found = {row.pk: row for row in seen.filter(number__in=asked)} if asked else {}
    for row in find_by_words(user=user, tickets=seen, query=text).order_by("-pk")[:limit]:
        found.setdefault(row.pk, row)
    return [_hit(ticket) for ticket in list(found.values())[:limit]]


def _hit(ticket: Ticket) -> Hit:
    asked_by = display_name(ticket.requester) if ticket.requester else ticket.requester_name
    return Hit(
        title=f"{ticket.number} {ticket.subject}",
        url=change_page(ticket),
        text=asked_by,
        badge=ticket.get_status_display(),
    )


SOURCES = [
    SearchSource(
        code="tickets",
        title=_("Tickets"),
        permission="support.view_ticket",
        icon="life-buoy",
        find=find_tickets,
        order=20,
    ),
]
