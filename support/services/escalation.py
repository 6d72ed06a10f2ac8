"""Waking someone up when a promise is broken, once."""

from django.utils.translation import gettext_noop

from support import sla
from support.models import Priority, SlaBreach, Ticket
from support.services import agent_notices
from systemadmin.services import raise_alert, resolve_alert

RULE = "support.sla_breach"
CLOCKS = {
    sla.FIRST_RESPONSE: gettext_noop("first response"),
    sla.NEXT_RESPONSE: gettext_noop("next response"),
    sla.RESOLUTION: gettext_noop("resolution"),
}


def escalate(ticket: Ticket, breach: SlaBreach) -> None:
    """Alert the operators; notify the assignee and the policy's escalation contact."""
    # Whoever reads alerts need not be a reader of a confined ticket.
    subject = "" if ticket.is_confined else ticket.subject
    raise_alert(
        rule=RULE,
        severity="critical" if ticket.priority == Priority.URGENT else "warning",
        summary=gettext_noop("%(ticket)s: %(clock_text)s overdue"),
        detail=gettext_noop("%(subject)s (due %(due)s UTC)"),
        facts={
            "ticket": ticket.number,
            "clock_text": CLOCKS[breach.clock],
            "subject": subject,
            "due": f"{breach.due_at:%Y-%m-%d %H:%M}",
        },
        key=ticket.number,
    )
    policy = ticket.sla_version.policy if ticket.sla_version else None
    contact = policy.escalate_to if policy else None
    agent_notices.notify("due", ticket, [ticket.assignee, contact], key=f"breach-{breach.pk}")


def resolve_alert_of(ticket: Ticket) -> None:
    """Resolve the alert of a breached promise: the ticket needs no action any more."""
    resolve_alert(rule=RULE, key=ticket.number)
