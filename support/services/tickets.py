"""Opening tickets and changing what they are filed under, whose they are and where they stand."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from support import lifecycle
from support.errors import StatusNotReachable, TicketMerged
from support.events import ticket_opened, ticket_status_changed
from support.models import (
    Category,
    Mailbox,
    Reply,
    SlaPolicy,
    Tag,
    Ticket,
    TicketCounter,
    TicketEvent,
)
from support.numbering import format_number
from support.services import (
    agent_notices,
    assignment,
    clocks,
    concerned,
    escalation,
    indexing,
    mail_out,
)
from support.services.announcements import announce_ticket
from support.services.attachments import attach_uploads
from support.services.history import note
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible, visible_text
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User
from systemadmin.services.duties import decides

CHANGEABLE = ("subject", "status", "priority", "assignee", "category", "tags")
MAX_BODY = 50_000


@transaction.atomic
def open_ticket(
    *,
    actor: User | None,
    subject: str,
    body: str,
    requester: User | None = None,
    requester_email: str = "",
    requester_name: str = "",
    priority: str = "medium",
    category: Category | None = None,
    tags: Sequence[str] = (),
    assignee: User | None = None,
    channel: str = Ticket.Channel.API,
    language: str = "",
    attachments: Sequence[UploadedFile] = (),
    acknowledge: bool = True,
    original_text: str = "",
    mailbox: Mailbox | None = None,
) -> Ticket:
    """Open a ticket with its first message, promise what the policy says, and hand it out."""
    now = timezone.now()
    ticket = Ticket(
        subject=one_line(subject),
        requester=requester,
        requester_email="" if requester else requester_email.lower(),
        requester_name="" if requester else single_line(requester_name, 150),
        language=(requester.language if requester else language) or "en",
        priority=priority,
        category=category,
        channel=channel,
        mailbox=mailbox,
    )
    _check_requester(ticket)
    ticket.sla_version = version_for(ticket)
    _check_choice(actor, ticket, assignee)
    ticket.assignee = assignee or assignment.choose_agent(category, mailbox, requester=requester)
    ticket.number = next_number(now.year)
    check_fields(ticket)
    ticket.save()
    ticket.tags.set(tags_named(tags))
    attach_uploads(_first_message(ticket, actor, body, now, original_text), attachments)
    note(ticket, TicketEvent.Kind.OPENED, actor=actor, at=now, version=ticket.sla_version_id)
    _hand_out(ticket, now)
    clocks.refresh(ticket, now=now)
    ticket.save()
    indexing.index_ticket(ticket, body, original_text)
    _announce_new(ticket, actor, acknowledge=acknowledge)
    return ticket


def _check_choice(actor: User | None, ticket: Ticket, assignee: User | None) -> None:
    if assignee is not None:
        assignment.check_may_choose(actor, ticket)
        assignment.check_assignee(actor, ticket, assignee)


def _announce_new(ticket: Ticket, actor: User | None, *, acknowledge: bool) -> None:
    audit.record("support.ticket.opened", actor=actor, target=ticket, after=_state(ticket))
    ticket_opened.send(sender=Ticket, ticket_id=ticket.pk, requester_id=ticket.requester_id)
    agent_notices.notify_new(ticket, actor)
    announce_ticket(ticket, "opened", key="1")
    if acknowledge:
        mail_out.acknowledge(ticket)


def _first_message(
    ticket: Ticket, actor: User | None, body: str, now: datetime, original_text: str
) -> Reply:
    author = actor or ticket.requester
    reply = Reply.objects.create(
        ticket=ticket,
        is_from_customer=True,
        author=author,
        author_name=author.get_username() if author else ticket.customer_name[:150],
        body=clean_body(body),
        original_text=original_text,
        source=Reply.Source.EMAIL if ticket.channel == Ticket.Channel.EMAIL else Reply.Source.API,
        said_at=now,
    )
    ticket.last_reply, ticket.reply_count, ticket.last_customer_reply_at = reply, 1, now
    return reply


def _hand_out(ticket: Ticket, now: datetime) -> None:
    if ticket.assignee is not None:
        note(
            ticket,
            TicketEvent.Kind.ASSIGNEE,
            actor=None,
            at=now,
            **{"from": None, "to": ticket.assignee.pk, "name": str(ticket.assignee)},
        )


def _check_requester(ticket: Ticket) -> None:
    if ticket.requester is None and not ticket.requester_email:
        raise InvalidInput("user", _("Say whose ticket it is."), code="required")


def version_for(ticket: Ticket) -> Any:
    found = SlaPolicy.objects.matching(
        priority=ticket.priority, category_id=ticket.category_id
    ).first()
    return found.current if found else None


def next_number(year: int) -> str:
    TicketCounter.objects.get_or_create(year=year)
    # The row stays locked until the ticket is committed, so no number is skipped or shared.
    TicketCounter.objects.filter(year=year).update(last=F("last") + 1)
    return format_number(year, TicketCounter.objects.get(year=year).last)


def one_line(text: str) -> str:
    line = " ".join(single_line(text).split())[:255]
    if not is_visible(line):
        raise InvalidInput("subject", _("Say what it is about."), code="required")
    return line


def clean_body(body: str) -> str:
    """Return the text of a message; refuses an empty or endless one."""
    text = visible_text(body.replace("\r\n", "\n"))
    if not text:
        raise InvalidInput("body", _("Write something."), code="required")
    if len(text) > MAX_BODY:
        raise InvalidInput(
            "body", _("At most %(most)d characters.") % {"most": MAX_BODY}, code="max_length"
        )
    return text


def tags_named(names: Iterable[str]) -> list[Tag]:
    """Return the tags of these names, made where missing."""
    slugs = dict.fromkeys(slugify(name, allow_unicode=True)[:50] for name in names)
    wanted = [slug for slug in slugs if slug]
    Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
    return list(Tag.objects.filter(name__in=wanted))


def lock_ticket(ticket: Ticket, *, expected_version: int | None = None) -> Ticket:
    """Return the ticket as it is now, locked until the transaction ends; refuses a merged one."""
    locked = lock_row(
        Ticket.objects.select_related(
            "requester", "assignee", "category", "mailbox", "sla_version__policy__escalate_to"
        ),
        expected_version=expected_version,
        pk=ticket.pk,
    )
    if locked.merged_into_id:
        raise TicketMerged(extra={"merged_into": locked.merged_into_id})
    return locked


@decides("support.update_ticket", permission="support.change_ticket", concerns=concerned.requester)
@transaction.atomic
def update_ticket(
    *,
    actor: User | None,
    ticket: Ticket,
    changes: Mapping[str, Any],
    expected_version: int | None = None,
) -> Ticket:
    """Apply changes of subject, status, priority, assignee, category and tags in one step."""
    locked = lock_ticket(ticket, expected_version=expected_version)
    now, before = timezone.now(), _state(locked)
    apply_changes(locked, changes, actor=actor, now=now)
    after = _state(locked)
    if after == before:
        return locked
    finish(locked, now=now)
    audit.record(
        "support.ticket.changed",
        actor=actor,
        target=locked,
        before={k: v for k, v in before.items() if after[k] != v},
        after={k: v for k, v in after.items() if before[k] != v},
    )
    return locked


def apply_changes(
    ticket: Ticket, changes: Mapping[str, Any], *, actor: User | None, now: datetime
) -> None:
    """Change a locked ticket and write its history; no save."""
    if "subject" in changes:
        _set_plain(ticket, "subject", one_line(changes["subject"]), actor, now)
    if "priority" in changes:
        _set_plain(ticket, "priority", changes["priority"], actor, now)
    if "category" in changes:
        _set_category(ticket, changes["category"], actor, now)
    if "priority" in changes or "category" in changes:
        clocks.choose_policy(ticket, actor=actor, at=now)
    if "tags" in changes:
        set_tags(ticket, changes["tags"], actor=actor, now=now)
    if "assignee" in changes:
        set_assignee(ticket, changes["assignee"], actor=actor, now=now)
    if "status" in changes:
        set_status(ticket, changes["status"], actor=actor, now=now)


def finish(ticket: Ticket, *, now: datetime) -> None:
    """Bring the clocks up to date, raise the version and save a changed ticket."""
    clocks.refresh(ticket, now=now)
    check_fields(ticket)
    ticket.bump()
    ticket.save()


PLAIN_FIELDS = {"subject", "status", "priority", "channel", "language", "requester_email"}


def check_fields(ticket: Ticket) -> None:
    """Validate what was typed; keys and constraints are the database's to hold."""
    rest = [f.name for f in Ticket._meta.concrete_fields if f.name not in PLAIN_FIELDS]
    ticket.clean_fields(exclude=rest)


def _set_plain(ticket: Ticket, name: str, value: Any, actor: User | None, now: datetime) -> None:
    before = getattr(ticket, name)
    if before == value:
        return
    setattr(ticket, name, value)
    note(ticket, name, actor=actor, at=now, **{"from": before, "to": value})
    if name == "subject":
        indexing.index_text(ticket, value)


def _set_category(
    ticket: Ticket, category: Category | None, actor: User | None, now: datetime
) -> None:
    before = ticket.category
    if before == category:
        return
    ticket.category = category
    note(
        ticket,
        TicketEvent.Kind.CATEGORY,
        actor=actor,
        at=now,
        **{"from": before.code if before else None, "to": category.code if category else None},
    )
    if ticket.assignee is not None and not assignment.reads(ticket.assignee, ticket):
        # Its readers are others now; who had it would hold what they may not open.
        set_assignee(ticket, None, actor=None, now=now)


def set_tags(ticket: Ticket, names: Iterable[str], *, actor: User | None, now: datetime) -> None:
    """File a locked ticket under exactly these tags."""
    before = sorted(ticket.tags.values_list("name", flat=True))
    found = tags_named(names)
    after = sorted(tag.name for tag in found)
    if before == after:
        return
    ticket.tags.set(found)
    note(ticket, TicketEvent.Kind.TAGS, actor=actor, at=now, **{"from": before, "to": after})


def set_assignee(
    ticket: Ticket, assignee: User | None, *, actor: User | None, now: datetime
) -> None:
    """Give a locked ticket to an agent or to nobody; no save."""
    if ticket.assignee_id == (assignee.pk if assignee else None):
        return
    assignment.check_assignee(actor, ticket, assignee)
    before = ticket.assignee_id
    ticket.assignee = assignee
    note(
        ticket,
        TicketEvent.Kind.ASSIGNEE,
        actor=actor,
        at=now,
        **{
            "from": before,
            "to": assignee.pk if assignee else None,
            "name": str(assignee) if assignee else "",
        },
    )
    agent_notices.notify_assigned(ticket, actor)


def set_status(
    ticket: Ticket, status: str, *, actor: User | None, now: datetime, announce: bool = True
) -> None:
    """Move a locked ticket along its way; refuses a step that does not exist; no save."""
    before = ticket.status
    if before == status:
        return
    if not lifecycle.may_become(before, status):
        raise StatusNotReachable(
            _("A ticket that is %(before)s cannot become %(after)s.")
            % {"before": before, "after": status}
        )
    ticket.status = status
    if status not in lifecycle.DONE_STATUSES:
        ticket.resolved_at = ticket.closed_at = None
    else:
        ticket.resolved_at = ticket.resolved_at or now
        ticket.closed_at = now if status == lifecycle.CLOSED else None
        escalation.resolve_alert_of(ticket)
        if announce and status == lifecycle.RESOLVED:
            mail_out.announce_resolution(ticket, now=now)
    note(ticket, TicketEvent.Kind.STATUS, actor=actor, at=now, **{"from": before, "to": status})
    ticket_status_changed.send(sender=Ticket, ticket_id=ticket.pk, before=before, after=status)
    announce_ticket(ticket, "status_changed", previous_status=before)


CLOSING = Batch("support.close_resolved")


def close_resolved(*, now: datetime | None = None, batch: int = 200) -> int:
    """Close tickets that have been resolved for the configured number of days."""
    days = setting("support.auto_close_days")
    if not days:
        return 0
    limit = (now or timezone.now()) - timedelta(days=days)
    closed = 0
    while True:
        due = CLOSING.due(Ticket.objects.resolved_before(limit), batch)
        closed += sum(CLOSING.each(due, partial(_close_if_still_resolved, limit=limit)))
        if len(due) < batch:
            return closed


@transaction.atomic
def _close_if_still_resolved(pk: int, *, limit: datetime) -> int:
    locked = lock_row(Ticket.objects.all(), pk=pk)
    if locked.status != lifecycle.RESOLVED or not locked.resolved_at or locked.resolved_at > limit:
        return 0
    update_ticket(actor=None, ticket=locked, changes={"status": lifecycle.CLOSED})
    return 1


def _state(ticket: Ticket) -> dict[str, Any]:
    """Return what the audit trail says; its readers need not be readers of a confined ticket."""
    return {
        "subject": "" if ticket.is_confined else ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "assignee": ticket.assignee_id,
        "category": ticket.category_id,
        "tags": sorted(ticket.tags.values_list("name", flat=True)),
    }
