"""The desk's corner of the account page."""

from typing import Any

from django.db.models import Avg, Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from support import lifecycle
from support.models import Ticket
from systemadmin.foundation.plugins import AccountPanel
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


PANELS = [
    AccountPanel(
        title=gettext_lazy("Tickets"),
        permission="support.view_ticket",
        summary=summary,
        order=10,
    )
]
