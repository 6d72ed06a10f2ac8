"""Telling agents what happened: in their page at once, by mail and Telegram several at a time."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from support.errors import UnknownNoticeEvent
from support.mail_bodies import REPLY_MARK
from support.models import AgentEvent, AgentNotice, NoticePreference, Reply, Ticket
from support.services.agent_addresses import answer_address
from support.services.readings import may_read
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.configuration import setting
from systemadmin.models import User
from systemadmin.services import notify_user

SENDING = Batch("support.send_agent_notices")
WAYS: Final = ("on_page", "by_mail", "by_telegram")
# What an agent hears of who has chosen nothing. New tickets are on everybody's list anyway.
DEFAULTS: Final[dict[str, tuple[bool, bool, bool]]] = {
    AgentEvent.NEW: (False, False, False),
    AgentEvent.ASSIGNED: (True, True, False),
    AgentEvent.REPLIED: (True, True, False),
    AgentEvent.MENTIONED: (True, True, False),
    AgentEvent.BOUNCED: (True, True, True),
    AgentEvent.DUE: (True, True, True),
}
# An agent with news of more tickets gets one mail with all of them, to read in the page.
MOST_SINGLE_MAILS: Final = 3
MENTION: Final = re.compile(r"(?<![\w@./])@([\w.+-]{1,150})")
SHOWN: Final = 3_000


def notify(
    event: str, ticket: Ticket, people: Iterable[User | None], *, key: str, by: User | None = None,
    reply: Reply | None = None,
) -> None:  # fmt: skip
    """Note an event for those of these people who may see the ticket, chose it, and did not do it.

    The same `key` tells nobody twice.
    """
    wanted = {p.pk: p for p in people if p is not None and p != by and p.is_acting_staff}
    for person in wanted.values():
        on_page, by_mail, by_telegram = choices_of(person)[event]
        if not (on_page or by_mail or by_telegram) or not _may_hear(person, ticket, reply):
            continue
        AgentNotice.objects.get_or_create(
            user=person,
            event=event,
            key=key,
            defaults={
                "ticket": ticket,
                "reply": reply,
                "on_page": on_page,
                "by_mail": by_mail,
                "by_telegram": by_telegram,
            },
        )


def _may_hear(person: User, ticket: Ticket, reply: Reply | None) -> bool:
    """Return whether this agent may be sent the words of a reply, where there is one."""
    return may_see(person, ticket) and (reply is None or may_read(user=person, reply=reply))


def may_see(person: User, ticket: Ticket) -> bool:
    """Return whether this agent may read this ticket now."""
    return Ticket.objects.visible_to(person).filter(pk=ticket.pk).exists()


def choices_of(person: User) -> dict[str, tuple[bool, bool, bool]]:
    """Return the ways (page, mail, Telegram) by which an agent hears of each event."""
    rows = NoticePreference.objects.filter(user=person).values_list("event", *WAYS)
    return {**DEFAULTS, **{event: tuple(ways) for event, *ways in rows}}


@transaction.atomic
def save_choices(*, actor: User, values: Mapping[str, Mapping[str, bool]]) -> None:
    """Store by which ways the agent hears of these events; raises `UnknownNoticeEvent`."""
    present = choices_of(actor)
    for event, ways in values.items():
        if event not in DEFAULTS:
            raise UnknownNoticeEvent
        merged = {**dict(zip(WAYS, present[event], strict=True)), **ways}
        NoticePreference.objects.update_or_create(user=actor, event=event, defaults=merged)
    audit.record("support.notices.chosen", actor=actor, target=actor)


def mark_seen(*, user: User, up_to: int | None = None, ticket: Ticket | None = None) -> int:
    """Note that an agent has looked at their notices; returns how many were new."""
    rows = AgentNotice.objects.filter(user=user).unseen()
    if up_to is not None:
        rows = rows.filter(pk__lte=up_to)
    if ticket is not None:
        rows = rows.filter(ticket=ticket)
    return rows.update(seen_at=timezone.now())


def notify_new(ticket: Ticket, by: User | None) -> None:
    """Notify those who want notices of every new ticket, and whom it was given to."""
    rows = NoticePreference.objects.filter(event=AgentEvent.NEW)
    chosen = User.objects.filter(pk__in=rows.values("user"))
    notify(AgentEvent.NEW, ticket, chosen, key=str(ticket.pk), by=by, reply=ticket.last_reply)
    notify_assigned(ticket, by)


def notify_assigned(ticket: Ticket, by: User | None) -> None:
    """Notify an agent that a ticket is theirs now."""
    key = f"{ticket.pk}:{timezone.now().timestamp():.0f}"
    notify(AgentEvent.ASSIGNED, ticket, [ticket.assignee], key=key, by=by, reply=ticket.last_reply)


def notify_replied(ticket: Ticket, reply: Reply) -> None:
    """Notify the agent that the customer wrote."""
    notify(AgentEvent.REPLIED, ticket, [ticket.assignee], key=str(reply.pk), reply=reply)


def notify_mentioned(ticket: Ticket, reply: Reply, by: User) -> None:
    """Notify those whom a note names by @username."""
    names = {name.rstrip(".") for name in MENTION.findall(reply.body)[:50]}
    people = User.objects.staff().filter(username__in=names) if names else []
    notify(AgentEvent.MENTIONED, ticket, people, key=str(reply.pk), by=by, reply=reply)


def send_notices(*, batch: int = 200) -> int:
    """Put what waits into mails, all of one agent's at once; returns to how many agents."""
    before = timezone.now() - timedelta(minutes=setting("support.notice_minutes"))
    waiting = AgentNotice.objects.to_send(before).order_by("created_at")
    people = User.objects.filter(pk__in=waiting.values("user"))
    return sum(SENDING.each(SENDING.due(people, batch), _send_to))


def _send_to(pk: int) -> int:
    """Send one agent all that waits for them; read, or of tickets out of sight, is left out."""
    person = User.objects.select_for_update(of=("self",)).get(pk=pk)
    rows = AgentNotice.objects.select_for_update(of=("self",)).filter(user=person, seen_at=None)
    rows = rows.filter(sent_at=None).order_by("pk")
    mine = [
        row
        for row in rows.select_related("ticket__category", "ticket__mailbox", "reply")
        if row.by_mail or row.by_telegram
    ]
    AgentNotice.objects.filter(pk__in=[row.pk for row in mine]).update(sent_at=timezone.now())
    seen = set(_in_sight(person, mine))
    mine = [row for row in mine if row.ticket_id in seen]
    with override(person.language):
        for way, channel in (("by_mail", "email"), ("by_telegram", "telegram")):
            _send_by(person, [row for row in mine if getattr(row, way)], channel)
    return bool(mine)


def _in_sight(person: User, rows: Sequence[AgentNotice]) -> QuerySet:
    seen = Ticket.objects.visible_to(person).filter(pk__in={row.ticket_id for row in rows})
    return seen.values_list("pk", flat=True)


def _send_by(person: User, rows: list[AgentNotice], channel: str) -> None:
    tickets: dict[int, list[AgentNotice]] = {}
    for row in rows:
        tickets.setdefault(row.ticket_id, []).append(row)
    if len(tickets) > MOST_SINGLE_MAILS:
        lines = [_headline(group[-1]) for group in tickets.values()]
        subject = ngettext(
            "News of %(count)d ticket", "News of %(count)d tickets", len(tickets)
        ) % {"count": len(tickets)}
        _queue(person, rows, channel, subject, "\n\n".join(lines))
        return
    for group in tickets.values():
        _send_of_ticket(person, group, channel)


def _send_of_ticket(person: User, rows: list[AgentNotice], channel: str) -> None:
    ticket = rows[0].ticket
    is_open = not ticket.is_confined
    parts = [_headline(row) + _words(row) * is_open for row in rows]
    address = ""
    if channel == "email" and setting("support.answers_by_mail"):
        is_note = rows[-1].event in (AgentEvent.MENTIONED, AgentEvent.BOUNCED)
        address = answer_address(person, ticket, is_note=is_note)
        parts.append(
            _("Answer this mail to leave a note on the ticket.")
            if is_note
            else _("Answer this mail to answer the customer.")
        )
    subject = f"[{ticket.number}] {ticket.subject}" if is_open else f"[{ticket.number}]"
    _queue(person, rows, channel, subject, "\n\n".join(parts), address)


def _queue(
    person: User, rows: list[AgentNotice], channel: str, subject: str, body: str, reply_to: str = ""
) -> None:
    notify_user(
        user=person,
        kind="support.agent",
        subject=subject,
        body=f"{REPLY_MARK}\n\n{body}\n" if reply_to else body,
        key=f"support-agent-{person.pk}-{rows[-1].pk}",
        channels=(channel,),
        reply_to=reply_to,
    )


def _headline(row: AgentNotice) -> str:
    """Return what happened, with the ticket's number and address; no word of a confined ticket."""
    about = row.ticket.number
    if not row.ticket.is_confined:
        about = f"{about} {row.ticket.subject}"
    path = reverse("admin:support_ticket_change", args=[row.ticket_id])
    return f"{row.get_event_display()}: {about}\n{settings.PUBLIC_URL.rstrip('/')}{path}"


def _words(row: AgentNotice) -> str:
    if row.reply is None:
        return ""
    return f"\n\n{row.reply.author_name}:\n{row.reply.body[:SHOWN]}"


def page_rows(user: User) -> Any:
    """Return the notices of an agent's page, newest first."""
    return AgentNotice.objects.on_page_of(user)
