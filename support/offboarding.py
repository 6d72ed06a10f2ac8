"""What the desk gives an agent, and how it goes on when the agent leaves."""

from django.utils.translation import gettext_lazy as _

from support.services.leaving import (
    count_assigned,
    count_categories,
    count_escalations,
    leave_categories,
    leave_escalations,
    release_tickets,
)
from systemadmin.foundation.plugins import Holding

HOLDINGS = [
    Holding(
        code="assigned_tickets",
        title=_("Assigned tickets that are open"),
        count=count_assigned,
        release=release_tickets,
    ),
    Holding(
        code="ticket_categories",
        title=_("Categories whose tickets may be given to them"),
        count=count_categories,
        release=leave_categories,
    ),
    Holding(
        code="escalations",
        title=_("Service policies that escalate to them"),
        count=count_escalations,
        release=leave_escalations,
    ),
]
