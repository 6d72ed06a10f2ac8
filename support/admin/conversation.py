"""What the middle and the right of the ticket workspace show."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from support import lifecycle
from support.admin import forms
from support.admin.operations import suggested_for
from support.admin.people import agent_of
from support.markdown import render_page
from support.models import (
    FileLink,
    Macro,
    Priority,
    ReplyTemplate,
    SlaBreach,
    Status,
    Ticket,
    TicketEvent,
    TicketRating,
)
from support.originals import originals_of_page
from support.querysets.replies import SHOWN_IN_PLACE
from support.services import presence, workload
from support.services.drafts import drafts_of
from support.services.new_addresses import unconfirmed_change
from support.services.readings import replies_for
from systemadmin.foundation import plugins
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.preferences import zone_of
from systemadmin.services.duties import is_own_case

EVENTS: Final = 50
# Of a message, where it may name what the ticket is about.
FIRST_WORDS: Final = 2000
# Templates that stand ready beside the reply box; the rest is found by typing.
AT_HAND: Final = 3
# Replies and mail stand in the conversation themselves.
_TOLD_OTHERWISE: Final = {"opened", "customer_reply", "staff_reply", "note", "edited", "mail"}
_ICONS: Final = {
    "assignee": "user-plus",
    "snoozed": "clock",
    "tags": "tag",
    "breach": "timer",
    "priority": "flag",
    "merged_in": "link-2",
    "linked": "link-2",
    "participants": "users",
}


def page_context(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    """Return everything about a ticket that its page shows, as far as this agent may see it."""
    agent = agent_of(request)
    return {
        "ticket": ticket,
        **messages_context(request, ticket),
        **forms_context(request, ticket),
        "suggested": suggested_for(request, ticket),
        "participants": ticket.participants.present(),
        "file_links": FileLink.objects.filter(message__ticket=ticket)
        .select_related("attachment", "message")
        .order_by("-pk")[:20],
        "breaches": SlaBreach.objects.filter(ticket=ticket),
        "links": Ticket.objects.visible_to(request.user).linked_to(ticket),
        "merged": ticket.merged_tickets.all(),
        "rating": TicketRating.objects.filter(ticket=ticket).first(),
        "others": presence.others(ticket=ticket, user=agent),
        "earlier": _earlier(request, ticket),
        "panels": _account_panels(request, ticket),
        "dealings": _dealings(request, ticket),
        "account_url": _account_url(request, ticket),
        "new_address": unconfirmed_change(ticket),
        "is_snoozed": ticket.snoozed_until is not None and ticket.snoozed_until > timezone.now(),
    }


def messages_context(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    """Return the conversation with what happened in between, by days of the reader's time zone."""
    before = request.GET.get("before", "")
    edge = int(before) if is_whole_number(before) else None
    replies, has_earlier = replies_for(user=agent_of(request), ticket=ticket).latest(before=edge)
    html = render_page([reply.body for reply in replies])
    originals = originals_of_page(
        replies,
        lambda picture: reverse("admin:support_ticket_inline", args=[ticket.pk, picture.pk]),
    )
    shown = [
        (reply, text, originals.get(reply.pk, ""))
        for reply, text in zip(replies, html, strict=True)
    ]
    events = list(ticket.events.select_related("actor").order_by("-id")[:EVENTS])
    return {
        "replies": shown,
        "talk": list(_talk(request, shown, events, is_end=edge is None)),
        "events": [(event, event_text(event)) for event in events],
        "has_earlier_replies": has_earlier,
        "is_earlier_page": "before" in request.GET,
        "may_see_mail": request.user.has_perm("support.view_inboundmessage"),
        "pictures": SHOWN_IN_PLACE,
        "may": {
            name.split("_")[0]: request.user.has_perm(f"support.{name}")
            for name in ("reply_ticket", "change_ticket", "merge_ticket", "assign_ticket")
        },
    }


def _talk(
    request: HttpRequest,
    shown: Sequence[tuple[Any, str, str]],
    events: Sequence[TicketEvent],
    *,
    is_end: bool,
) -> Iterator[dict[str, Any]]:
    """Yield days, messages and events in the order of time."""
    zone = zone_of(request)
    rows: list[tuple[datetime, int, dict[str, Any]]] = [
        (reply.said_at, 0, {"reply": reply, "html": html, "original": original})
        for reply, html, original in shown
    ]
    if rows:
        rows += _event_rows(events, since=rows[0][0], until=None if is_end else rows[-1][0])
    day = None
    for moment, _order, row in sorted(rows, key=lambda one: one[:2]):
        local = timezone.localtime(moment, zone).date()
        if local != day:
            day = local
            yield {"day": _day(local, timezone.localtime(None, zone).date())}
        yield row


def _event_rows(
    events: Sequence[TicketEvent], *, since: datetime, until: datetime | None
) -> list[tuple[datetime, int, dict[str, Any]]]:
    """Return the events between two moments that no message shows already."""
    return [
        (
            event.at,
            event.pk,
            {"event": event, "text": event_text(event), "icon": _ICONS.get(event.kind, "info")},
        )
        for event in events
        if event.kind not in _TOLD_OTHERWISE
        and event.at >= since
        and (until is None or event.at <= until)
    ]


def _day(day: date, today: date) -> str:
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    return date_format(day, "DATE_FORMAT")


def event_text(event: TicketEvent) -> str:
    """Return a fact of the history as people read it."""
    data, kind = event.data, event.get_kind_display()
    words = {"status": dict(Status.choices), "priority": dict(Priority.choices)}.get(event.kind, {})

    def word(value: Any) -> str:
        if event.kind == "snoozed" and value:
            return date_format(datetime.fromisoformat(value), "DATETIME_FORMAT")
        if isinstance(value, list):
            return ", ".join(map(str, value)) or _("nothing")
        return str(words.get(value, value) or _("nothing"))

    if event.kind == "assignee":
        name = data.get("name") or _("nobody")
        return f"{kind}: {name}"
    if "to" in data:
        return f"{kind}: {word(data.get('from'))} → {word(data['to'])}"
    return f"{kind} {data['number']}" if data.get("number") else str(kind)


def forms_context(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    """Return the forms around a ticket, filled in as it stands."""
    agents = list(workload())
    return {
        "properties_form": forms.PropertiesForm(
            auto_id="id_ticket_%s",
            initial={
                "status": ticket.status,
                "priority": ticket.priority,
                "assignee": ticket.assignee_id,
                "category": ticket.category_id,
                "tags": ", ".join(tag.name for tag in ticket.tags.all()),
                "version": ticket.version,
            },
        ),
        "other_form": forms.OtherTicketForm(auto_id=False),
        "participant_form": forms.ParticipantForm(auto_id=False),
        "agents": agents,
        "statuses": [
            choice for choice in Status.choices if lifecycle.may_become(ticket.status, choice[0])
        ],
        "priorities": Priority.choices,
        "snoozes": snooze_choices(request),
        "templates": templates_for(ticket, ""),
        "macros": Macro.objects.filter(is_active=True)[:50],
    }


def templates_for(ticket: Ticket, words: str, limit: int = 30) -> list[ReplyTemplate]:
    """Return the templates with these words, those of the ticket's language and category first."""
    found = ReplyTemplate.objects.filter(is_active=True)
    for word in words.split()[:5]:
        found = found.filter(title__icontains=word) | found.filter(body__icontains=word)

    def order(template: ReplyTemplate) -> tuple[bool, bool, str]:
        is_ours = template.category_id is not None and template.category_id == ticket.category_id
        return template.language != ticket.language, not is_ours, template.title.lower()

    return list(islice(sorted(found[:500], key=order), limit))


def snooze_choices(request: HttpRequest) -> list[tuple[str, str]]:
    """Return moments to come back to a ticket: words and the moment, in the person's zone."""
    now = timezone.localtime(None, zone_of(request))
    morning = now.replace(hour=9, minute=0, second=0, microsecond=0)
    monday = morning + timedelta(days=7 - now.weekday())
    found = [
        (_("In 2 hours"), now + timedelta(hours=2)),
        (_("Tomorrow at 9:00"), morning + timedelta(days=1)),
        (_("On Monday at 9:00"), monday),
    ]
    return [(words, moment.isoformat(timespec="seconds")) for words, moment in found]


def draft_context(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    """Return the agent's unsent texts, one per mode of the reply box; a lone note opens as one."""
    kept = drafts_of(user=agent_of(request), ticket=ticket)
    public, internal = kept.get("public"), kept.get("internal")
    is_note = public is None and internal is not None
    starting = internal if is_note else public
    return {
        "public": public,
        "internal": internal,
        "starts_as_note": is_note,
        "starting_text": starting.body if starting else "",
    }


def _earlier(request: HttpRequest, ticket: Ticket) -> Any:
    if ticket.requester_id is None:
        return Ticket.objects.none()
    seen = Ticket.objects.visible_to(request.user).filter(requester_id=ticket.requester_id)
    return seen.exclude(pk=ticket.pk).order_by("-id")[:5]


def _account_panels(request: HttpRequest, ticket: Ticket) -> list[tuple[Any, Any]]:
    """Return what every desk knows of the requester, as far as this agent may see it."""
    if ticket.requester is None or is_own_case(request.user, [ticket.requester_id]):
        return []
    panels = sorted(plugins.collect("account", "PANELS"), key=lambda panel: panel.order)
    return [
        (panel.title, panel.summary(ticket.requester))
        for panel in panels
        if request.user.has_perm(panel.permission)
    ]


def _dealings(request: HttpRequest, ticket: Ticket) -> list[dict[str, Any]]:
    """Return what the ticket may be about: things of the requester that it names, or the newest."""
    if ticket.requester is None:
        return []
    said = ticket.replies.filter(is_from_customer=True).order_by("id")[:2]
    text = " ".join([ticket.subject, *(reply.body[:FIRST_WORDS] for reply in said)])
    return plugins.account_dealings(request.user, ticket.requester, text)


def _account_url(request: HttpRequest, ticket: Ticket) -> str:
    """Return the page of the requester's account that this agent may open, the fullest first."""
    if ticket.requester_id is None:
        return ""
    return plugins.person_page(request.user, ticket.requester_id)
