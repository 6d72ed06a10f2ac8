"""How the desk is doing: promises, mail in and out."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from support.models import InboundMessage, Mailbox, OutboundMessage, Ticket
from systemadmin.foundation.plugins import Metric, StatusCheck

LATE = timedelta(minutes=15)


def check() -> dict[str, Any]:
    """Warn when mail stands still or cannot be fetched, or the sweep has stopped."""
    now = timezone.now()
    unread = InboundMessage.objects.waiting().filter(created_at__lt=now - LATE).count()
    unsent = OutboundMessage.objects.filter(
        status="pending", next_attempt_at__lt=now - LATE
    ).count()
    unswept = Ticket.objects.due_for_sweep(now - LATE).count()
    broken = Mailbox.objects.filter(is_active=True).exclude(last_error="").count()
    figures = {
        "mail_unread": unread,
        "mail_unsent": unsent,
        "targets_unswept": unswept,
        "mailboxes_failing": broken,
        "mail_unreadable": int(unreadable()),
        "mail_dead": int(dead_letters()),
    }
    return {"status": "warning" if unread or unsent or unswept or broken else "ok", **figures}


def open_tickets() -> float:
    """Return tickets neither resolved nor closed."""
    return float(Ticket.objects.open().count())


def overdue_tickets() -> float:
    """Return tickets with a broken promise still to be made good."""
    return float(Ticket.objects.overdue().count())


def unassigned_tickets() -> float:
    """Open tickets nobody has taken."""
    return float(Ticket.objects.unassigned().count())


def unreadable() -> float:
    """Incoming mail that could not be read."""
    return float(InboundMessage.objects.failed().count())


def dead_letters() -> float:
    """Outgoing mail that was given up."""
    return float(OutboundMessage.objects.dead().count())


CHECKS = [StatusCheck(name="support", run=check)]
METRICS = [
    Metric(
        name="support_open_tickets", help=gettext_noop("Tickets to be worked on"), read=open_tickets
    ),
    Metric(
        name="support_overdue_tickets",
        help=gettext_noop("Tickets with a missed target"),
        read=overdue_tickets,
    ),
    Metric(
        name="support_unassigned_tickets",
        help=gettext_noop("Open tickets nobody has taken"),
        read=unassigned_tickets,
    ),
    Metric(
        name="support_mail_unreadable",
        help=gettext_noop("Mail that could not be read"),
        read=unreadable,
    ),
    Metric(
        name="support_mail_dead",
        help=gettext_noop("Mail that could not be sent"),
        read=dead_letters,
    ),
]

# How the status page names what the checks tell, by key.
WORDS = [
    ("support", _("Support")),
    ("mail_unread", _("Mail not yet read")),
    ("mail_unsent", _("Mail not yet sent")),
    ("targets_unswept", _("Service targets not yet looked at")),
    ("mailboxes_failing", _("Mailboxes that cannot be read")),
    ("mail_unreadable", _("Mail that became no ticket")),
    ("mail_dead", _("Answers that could not be sent")),
]
