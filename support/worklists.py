"""What waits on the desk, for the admin home."""

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from support.models import InboundMessage, OutboundMessage, Ticket
from systemadmin.foundation.plugins import Worklist

WEEK = timedelta(days=7)


def _queue(name: str) -> str:
    return f"{reverse('admin:support_ticket_changelist')}?queue={name}"


def _seen(user: Any) -> Any:
    return Ticket.objects.visible_to(user)


WORKLISTS = [
    Worklist(
        title=_("Tickets overdue"),
        permission="support.view_ticket",
        count=lambda user: _seen(user).overdue().count(),
        url=lambda: _queue("overdue"),
        order=10,
    ),
    Worklist(
        title=_("My tickets"),
        permission="support.reply_ticket",
        count=lambda user: _seen(user).mine(user).count(),
        url=lambda: _queue("mine"),
        order=11,
    ),
    Worklist(
        title=_("Tickets nobody has taken"),
        permission="support.view_ticket",
        count=lambda user: _seen(user).unassigned().count(),
        url=lambda: _queue("unassigned"),
        order=12,
    ),
    Worklist(
        title=_("Mail that could not be read"),
        permission="support.view_inboundmessage",
        count=lambda user: InboundMessage.objects.failed().count(),
        url=lambda: f"{reverse('admin:support_inboundmessage_changelist')}?status__exact=failed",
        order=13,
    ),
    Worklist(
        title=_("Mail that could not be sent"),
        permission="support.view_outboundmessage",
        count=lambda user: OutboundMessage.objects.dead().count(),
        url=lambda: f"{reverse('admin:support_outboundmessage_changelist')}?status__exact=failed",
        order=14,
    ),
    Worklist(
        title=_("Answers that came back"),
        permission="support.view_outboundmessage",
        count=lambda user: OutboundMessage.objects.bounced().count(),
        url=lambda: f"{reverse('admin:support_outboundmessage_changelist')}?status__exact=bounced",
        order=15,
    ),
    Worklist(
        title=_("Mail set aside in the last seven days"),
        permission="support.view_inboundmessage",
        count=lambda user: InboundMessage.objects.set_aside(timezone.now() - WEEK).count(),
        url=lambda: f"{reverse('admin:support_inboundmessage_changelist')}?status__exact=ignored",
        order=16,
    ),
]
