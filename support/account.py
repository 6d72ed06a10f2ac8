"""The desk's corner of the account page."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Avg, Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from support import lifecycle
from support.models import Ticket
from systemadmin.foundation.plugins import AccountAct, AccountPanel
from systemadmin.models import User


def summary(user: User) -> list[tuple[Any, Any, str | None]]:
    """Return how much help the member needed, and what they thought of it."""
    figures = (
        Ticket.objects.open_to(None)
        .filter(requester=user, merged_into__isnull=True)
        .aggregate(
            total=Count("pk"),
            waiting=Count("pk", filter=Q(status__in=lifecycle.OPEN_STATUSES)),
            rating=Avg("rating__score"),
        )
    )
    url = f"{reverse('admin:support_ticket_changelist')}?requester__id__exact={user.pk}"
    rating = figures["rating"]
    return [
        (_("Tickets"), figures["total"], url),
        (_("Open"), figures["waiting"], None),
        (_("Average rating"), f"{rating:.1f}/5" if rating else "-", None),
    ]


def new_ticket(account: User, about: str) -> str:
    """Return the address of the form of a new ticket, with account and subject filled in."""
    given = {"user": account.get_username(), "subject": about}
    return f"{reverse('admin:support_ticket_add')}?{urlencode(given)}"


PANELS = [
    AccountPanel(
        title=gettext_lazy("Tickets"),
        permission="support.view_ticket",
        summary=summary,
        order=10,
    )
]

ACTS = [
    AccountAct(
        title=gettext_lazy("Open a ticket"),
        icon="life-buoy",
        permission="support.add_ticket",
        address=new_ticket,
    )
]
