"""Waking someone up when a promise is broken, once."""

from django.utils.translation import gettext as _
from django.utils.translation import override

from support import sla
from support.models import Priority, SlaBreach, Ticket
from systemadmin.models import User
from systemadmin.services import notify_user, raise_alert, resolve_alert

RULE = "support.sla_breach"


def escalate(ticket: Ticket, breach: SlaBreach) -> None:
    """Alert the operators; notify the assignee and the policy's escalation contact."""
    raise_alert(
        rule=RULE,
        severity="critical" if ticket.priority == Priority.URGENT else "warning",
        summary=f"{ticket.number}: {breach.clock} overdue",
        detail=f"{ticket.subject} (due {breach.due_at:%Y-%m-%d %H:%M} UTC)",
        key=ticket.number,
    )
    policy = ticket.sla_version.policy if ticket.sla_version else None
    people: dict[int, User] = {}
    for person in (ticket.assignee, policy.escalate_to if policy else None):
        if person is not None:
            people[person.pk] = person
    for person in people.values():
        _tell(person, ticket, breach)


def _tell(person: User, ticket: Ticket, breach: SlaBreach) -> None:
    with override(person.language):
        names = {
            sla.FIRST_RESPONSE: _("first response"),
            sla.NEXT_RESPONSE: _("next response"),
            sla.RESOLUTION: _("resolution"),
        }
        notify_user(
            user=person,
            kind="support.sla_breach",
            subject=_("%(number)s is overdue") % {"number": ticket.number},
            body=_("%(number)s (%(subject)s): %(clock)s was due %(due)s UTC.")
            % {
                "number": ticket.number,
                "subject": ticket.subject,
                "clock": names.get(breach.clock, breach.clock),
                "due": f"{breach.due_at:%Y-%m-%d %H:%M}",
            },
            key=f"support-breach-{breach.pk}-{person.pk}",
        )


def resolve_alert_of(ticket: Ticket) -> None:
    """Resolve the alert of a breached promise: the ticket needs no action any more."""
    resolve_alert(rule=RULE, key=ticket.number)
