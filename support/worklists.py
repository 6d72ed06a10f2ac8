"""What waits on the desk, for the rail and the home page of the admin."""

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from support.models import InboundMessage, OutboundMessage, Ticket
from support.review_queues import UNREAD_MAIL, UNSENT_MAIL
from systemadmin.foundation.display import display_name
from systemadmin.foundation.plugins import Desk, DeskPage, Line, Worklist
from systemadmin.foundation.waiting import change_page

WEEK = timedelta(days=7)
# The words of the admin for how bad something is.
LEVELS = {"low": "low", "medium": "medium", "high": "high", "urgent": "critical"}


def _queue(name: str) -> str:
    return f"{reverse('admin:support_ticket_workspace')}?queue={name}"


def _seen(user: Any) -> Any:
    return Ticket.objects.visible_to(user).select_related("requester").due_first()


def _ticket(ticket: Ticket) -> Line:
    asked_by = display_name(ticket.requester) if ticket.requester else ticket.requester_name
    return Line(
        title=ticket.subject,
        url=change_page(ticket),
        text=f"{ticket.number} · {asked_by}" if asked_by else ticket.number,
        at=ticket.created_at,
        due=ticket.overdue_since or ticket.next_due_at,
        level=LEVELS[ticket.priority],
        level_title=ticket.get_priority_display(),
        account=ticket.requester,
    )


def _inbound(mail: InboundMessage) -> Line:
    # Neither sender nor reason: some who may see the list see these masked.
    return Line(title=mail.subject or _("No subject"), url=change_page(mail), at=mail.created_at)


def _outbound(mail: OutboundMessage) -> Line:
    return Line(title=mail.subject, url=change_page(mail), at=mail.created_at)


def _set_aside(user: Any) -> Any:
    listed = InboundMessage.objects.listed_for(user)
    return listed.set_aside(timezone.now() - WEEK).order_by("-pk")


def _mail(model: str, status: str) -> str:
    return f"{reverse(f'admin:support_{model}_changelist')}?status__exact={status}"


DESKS = [
    Desk(
        code="support",
        key="t",
        title=_("Support"),
        icon="life-buoy",
        order=10,
        models=["support"],
        start="admin:support_ticket_workspace",
        pages=[
            DeskPage(
                title=_("Ticket workspace"),
                view="admin:support_ticket_workspace",
                permission="support.view_ticket",
            ),
            DeskPage(
                title=_("Reports"),
                view="admin:support_ticket_reports",
                permission="support.view_reports",
            ),
            DeskPage(
                title=_("Notices"),
                view="admin:support_ticket_notices",
                permission="support.reply_ticket",
            ),
        ],
    )
]
WORKLISTS = [
    Worklist(
        code="support.overdue",
        title=_("Tickets overdue"),
        permission="support.reply_ticket",
        rows=lambda user: _seen(user).in_queue("overdue", user),
        url=lambda: _queue("overdue"),
        added="created_at",
        line=_ticket,
        icon="timer",
        order=10,
        is_urgent=True,
        is_personal=True,
        is_on_rail=False,
    ),
    Worklist(
        code="support.mine",
        title=_("My tickets"),
        permission="support.reply_ticket",
        rows=lambda user: _seen(user).in_queue("mine", user),
        url=lambda: _queue("mine"),
        added="created_at",
        line=_ticket,
        icon="user",
        order=11,
        is_personal=True,
    ),
    Worklist(
        code="support.unassigned",
        title=_("Tickets nobody has taken"),
        permission="support.reply_ticket",
        rows=lambda user: _seen(user).in_queue("unassigned", user),
        url=lambda: _queue("unassigned"),
        added="created_at",
        line=_ticket,
        icon="inbox",
        order=12,
        is_personal=True,
    ),
    Worklist(
        code="support.unread_mail",
        title=_("Mail that could not be read"),
        permission="support.process_inboundmessage",
        rows=lambda user: InboundMessage.objects.listed_for(user).failed().order_by("-pk"),
        url=lambda: reverse("admin:review_queue", args=[UNREAD_MAIL.code]),
        added="created_at",
        line=_inbound,
        icon="mail",
        order=13,
        is_personal=True,
        queue=UNREAD_MAIL,
    ),
    Worklist(
        code="support.unsent_mail",
        title=_("Mail that could not be sent"),
        permission="support.retry_outboundmessage",
        rows=lambda user: OutboundMessage.objects.listed_for(user).dead().order_by("-pk"),
        url=lambda: reverse("admin:review_queue", args=[UNSENT_MAIL.code]),
        added="created_at",
        line=_outbound,
        icon="mail",
        order=14,
        is_personal=True,
        queue=UNSENT_MAIL,
    ),
    Worklist(
        code="support.bounced_mail",
        title=_("Answers that came back"),
        permission="support.view_outboundmessage",
        rows=lambda user: OutboundMessage.objects.listed_for(user).bounced().order_by("-pk"),
        url=lambda: _mail("outboundmessage", "bounced"),
        added="created_at",
        line=_outbound,
        icon="undo-2",
        order=15,
        is_personal=True,
    ),
    Worklist(
        code="support.mail_set_aside",
        title=_("Mail set aside in the last seven days"),
        permission="support.view_inboundmessage",
        rows=_set_aside,
        url=lambda: _mail("inboundmessage", "ignored"),
        added="created_at",
        line=_inbound,
        icon="mail",
        order=16,
        is_personal=True,
        is_on_rail=False,
    ),
]
