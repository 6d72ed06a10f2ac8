"""Answers, notes and the customer's own words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from support import lifecycle
from support.errors import ClientKeyReused, RepliedMeanwhile, TicketAlreadyClosed
from support.events import ticket_replied
from support.models import Reply, ReplyRevision, ReplyTemplate, Ticket, TicketEvent
from support.services import agent_notices, concerned, indexing, mail_out, presence
from support.services.announcements import announce_ticket
from support.services.attachments import attach_uploads
from support.services.history import note
from support.services.templates import render_for
from support.services.tickets import clean_body, finish, lock_ticket, set_assignee, set_status
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import NotAllowed
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides


@decides("support.reply", permission="support.reply_ticket", concerns=concerned.requester)
@transaction.atomic
def reply_as_staff(
    *,
    actor: User,
    ticket: Ticket,
    body: str = "",
    internal: bool = False,
    template: ReplyTemplate | None = None,
    status: str | None = None,
    attachments: Sequence[UploadedFile] = (),
    expected_last_reply: int | None = None,
    client_key: str | None = None,
    source: str = Reply.Source.API,
    to_all: bool = False,
) -> Reply:
    """Answer the customer, with `to_all` everybody who takes part, or leave a note for colleagues.

    Raises `RepliedMeanwhile` when `expected_last_reply` is not the last one any more, and
    `TicketAlreadyClosed` for a public answer to a closed ticket that it does not reopen.
    """
    locked = lock_ticket(ticket)
    first = _sent_before(actor, client_key, locked, body, internal)
    if first is not None:
        return first
    _check_nobody_replied(locked, expected_last_reply)
    if not internal and locked.status == lifecycle.CLOSED and status in (None, lifecycle.CLOSED):
        raise TicketAlreadyClosed
    now = timezone.now()
    if template is not None and not is_visible(body):
        body = render_for(template=template, ticket=locked, agent=actor)
    reply = _write(
        locked,
        now,
        body=clean_body(body),
        kind=Reply.Kind.INTERNAL if internal else Reply.Kind.PUBLIC,
        author=actor,
        template=template,
        client_key=client_key or None,
        source=source,
    )
    attach_uploads(reply, attachments)
    _note_reply(locked, reply, now, actor)
    _send(locked, reply, actor, now, status=status, to_all=to_all)
    _done(locked, reply, now, actor)
    presence.leave(ticket=locked, user=actor)
    return reply


def _send(
    ticket: Ticket, reply: Reply, actor: User, now: datetime, *, status: str | None, to_all: bool
) -> None:
    """Let an answer go out, or a note tell those whom it names; then set the status."""
    if not reply.is_internal:
        _answered(ticket, actor, now, status=status)
        mail_out.send_reply(reply, ticket, to_all=to_all)
        return
    agent_notices.notify_mentioned(ticket, reply, actor)
    if status:
        set_status(ticket, status, actor=actor, now=now)


@transaction.atomic
def reply_as_customer(
    *,
    ticket: Ticket,
    body: str,
    author: User | None = None,
    author_name: str = "",
    attachments: Sequence[UploadedFile] = (),
    client_key: str | None = None,
    source: str = Reply.Source.API,
    expected_last_reply: int | None = None,
    original_text: str = "",
) -> Reply:
    """Add the customer's words; they end waiting and reopen what was resolved.

    Raises `TicketAlreadyClosed` when the ticket was closed longer ago than the desk allows.
    """
    locked = lock_ticket(ticket)
    first = _sent_before(author, client_key, locked, body, False)
    if first is not None:
        return first
    now = timezone.now()
    if not may_reopen(locked, now):
        raise TicketAlreadyClosed
    _check_nobody_replied(locked, expected_last_reply, public_only=True)
    reply = _write(
        locked,
        now,
        body=clean_body(body),
        kind=Reply.Kind.PUBLIC,
        is_from_customer=True,
        author=author,
        author_name=author_name[:150],
        original_text=original_text,
        client_key=client_key or None,
        source=source,
    )
    attach_uploads(reply, attachments)
    locked.last_customer_reply_at, locked.snoozed_until = now, None
    _note_reply(locked, reply, now, author)
    set_status(locked, lifecycle.after_customer_reply(locked.status), actor=author, now=now)
    _done(locked, reply, now, author)
    agent_notices.notify_replied(locked, reply)
    return reply


def may_reopen(ticket: Ticket, now: datetime) -> bool:
    """Return whether the customer may still go on here instead of opening a new ticket."""
    if ticket.status != lifecycle.CLOSED or ticket.closed_at is None:
        return True
    return now - ticket.closed_at <= timedelta(days=setting("support.reopen_days"))


def _sent_before(
    author: User | None, client_key: str | None, ticket: Ticket, body: str, internal: bool
) -> Reply | None:
    if not client_key or author is None:
        return None
    first = Reply.objects.filter(author=author, client_key=client_key).first()
    if first is None:
        return None
    same_text = not is_visible(body) or first.body == clean_body(body)
    if first.ticket_id != ticket.pk or first.is_internal != internal or not same_text:
        raise ClientKeyReused
    return first


def _check_nobody_replied(
    ticket: Ticket, expected: int | None, *, public_only: bool = False
) -> None:
    if expected is None:
        return
    last = ticket.last_reply
    if public_only:  # a member neither sees nor trips over internal notes
        last = ticket.replies.public().order_by("said_at", "id").last()
    if last is None or last.pk == expected:
        return
    raise RepliedMeanwhile(extra={"last_reply": last.pk, "by": last.author_name})


def _write(ticket: Ticket, now: datetime, **fields: Any) -> Reply:
    author = fields.get("author")
    fields["author_name"] = fields.get("author_name") or (author.get_username() if author else "")
    reply = Reply(ticket=ticket, said_at=now, **fields)
    reply.save()
    ticket.last_reply = reply
    ticket.reply_count += 1
    return reply


def _answered(ticket: Ticket, actor: User, now: datetime, *, status: str | None) -> None:
    ticket.last_staff_reply_at = now
    if ticket.assignee_id is None and setting("support.assign_on_reply"):
        set_assignee(ticket, actor, actor=actor, now=now)
    if not status and ticket.status in lifecycle.OPEN_STATUSES:
        status = setting("support.status_after_reply")
    if status:
        # The customer reads it in the answer; a second mail would only repeat it.
        set_status(ticket, status, actor=actor, now=now, announce=False)


def _note_reply(ticket: Ticket, reply: Reply, now: datetime, actor: User | None) -> None:
    kind = TicketEvent.Kind.STAFF_REPLY
    if reply.is_internal:
        kind = TicketEvent.Kind.NOTE
    elif reply.is_from_customer:
        kind = TicketEvent.Kind.CUSTOMER_REPLY
    note(ticket, kind, actor=actor, at=now, reply=reply.pk)


def _done(ticket: Ticket, reply: Reply, now: datetime, actor: User | None) -> None:
    finish(ticket, now=now)
    indexing.index_text(ticket, f"{reply.body}\n{reply.original_text}")
    audit.record(
        "support.ticket.noted" if reply.is_internal else "support.ticket.replied",
        actor=actor,
        target=ticket,
        metadata={"reply": reply.pk, "template": reply.template_id},
    )
    ticket_replied.send(
        sender=Ticket,
        ticket_id=ticket.pk,
        reply_id=reply.pk,
        is_from_customer=reply.is_from_customer,
    )
    if not reply.is_internal:
        announce_ticket(
            ticket,
            "replied",
            key=str(reply.pk),
            reply=reply.pk,
            is_from_customer=reply.is_from_customer,
        )


@transaction.atomic
def edit_reply(*, actor: User, reply: Reply, body: str) -> Reply:
    """Correct one's own words; what they were stays on record."""
    ticket = lock_ticket(reply.ticket)
    locked = lock_row(Reply.objects.all(), pk=reply.pk)
    if locked.author_id != actor.pk:
        raise NotAllowed
    text = clean_body(body)
    if text == locked.body:
        return locked
    ReplyRevision.objects.create(reply=locked, body=locked.body, replaced_by=actor)
    locked.body, locked.edited_at = text, timezone.now()
    locked.save(update_fields=["body", "edited_at", "updated_at"])
    note(ticket, TicketEvent.Kind.EDITED, actor=actor, at=locked.edited_at, reply=locked.pk)
    finish(ticket, now=locked.edited_at)
    indexing.index_text(ticket, text)
    audit.record("support.reply.edited", actor=actor, target=ticket, metadata={"reply": locked.pk})
    return locked


@transaction.atomic
def add_system_note(
    *, ticket: Ticket, body: str, author_name: str = "", original_text: str = ""
) -> Reply:
    """Leave staff a note that nobody on the desk wrote; it moves no clock and no status."""
    locked = lock_ticket(ticket)
    now = timezone.now()
    reply = _write(
        locked,
        now,
        body=clean_body(body),
        original_text=original_text,
        kind=Reply.Kind.INTERNAL,
        author_name=(author_name or "Atalaya")[:150],
        source=Reply.Source.SYSTEM,
    )
    _note_reply(locked, reply, now, None)
    _done(locked, reply, now, None)
    return reply
