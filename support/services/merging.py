"""Two tickets that are one, one that is two, and those that belong together."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from support import lifecycle
from support.errors import (
    AlreadyLinked,
    CannotMerge,
    CannotSplit,
    DifferentRequesters,
    NothingSuggested,
    TicketAlreadyClosed,
    TicketMerged,
)
from support.models import (
    InboundMessage,
    InboundReference,
    Reply,
    Ticket,
    TicketEvent,
    TicketLink,
)
from support.services import clocks, concerned, escalation, indexing
from support.services.history import note
from support.services.participants import add_participants, carry_participants
from support.services.tickets import lock_ticket, next_number, one_line, version_for
from systemadmin import audit
from systemadmin.foundation.concurrency import check_version
from systemadmin.foundation.errors import NotFound
from systemadmin.models import User
from systemadmin.services.duties import decides


class _FamilyChanged(Exception):
    """A ticket was merged into the source between reading and locking."""


@decides(
    "support.merge_tickets", permission="support.merge_ticket", concerns=concerned.both_requesters
)
def merge_tickets(
    *,
    actor: User | None,
    source: Ticket,
    into: Ticket,
    expected_version: int | None = None,
    is_across_people: bool = False,
) -> Ticket:
    """Move everything said on one ticket into another and close the first.

    All rows are locked in key order, so that two merges the other way round cannot both
    win; whoever comes second finds a merged ticket and is refused. Tickets merged into the
    source earlier point to the target afterwards: no chains.
    """
    if source.pk == into.pk:
        raise CannotMerge
    while True:
        try:
            with transaction.atomic():
                return _merge(
                    actor, source, into, expected_version, is_across_people=is_across_people
                )
        except _FamilyChanged:
            continue


def _merge(
    actor: User | None,
    source: Ticket,
    into: Ticket,
    expected_version: int | None,
    *,
    is_across_people: bool,
) -> Ticket:
    family = _family(source)
    wanted = {source.pk, into.pk, *family}
    locked = {
        ticket.pk: ticket
        for ticket in Ticket.objects.select_for_update(of=("self",))
        .select_related("requester", "sla_version__policy__escalate_to", "assignee")
        .filter(pk__in=wanted)
        .order_by("pk")
    }
    if source.pk not in locked or into.pk not in locked:
        raise NotFound
    if _family(source) != family:
        raise _FamilyChanged
    first, target = locked[source.pk], locked[into.pk]
    check_version(first, expected_version)
    _check(first, target, is_across_people=is_across_people)
    now = timezone.now()
    asked = _awaits_answer(first)
    _move_everything(first, target)
    _close_source(first, target, actor, now)
    Ticket.objects.filter(pk__in=family).update(merged_into=target)
    _tell_target(first, target, actor, now, asked=asked)
    audit.record(
        "support.ticket.merged", actor=actor, target=first, metadata={"into": target.number}
    )
    return target


def _family(ticket: Ticket) -> set[int]:
    return set(Ticket.objects.filter(merged_into_id=ticket.pk).values_list("pk", flat=True))


def _check(source: Ticket, target: Ticket, *, is_across_people: bool) -> None:
    if source.merged_into_id or target.merged_into_id:
        raise TicketMerged(extra={"merged_into": source.merged_into_id or target.merged_into_id})
    if target.status == lifecycle.CLOSED:
        raise TicketAlreadyClosed
    if not is_across_people and (source.requester_id, source.requester_email) != (
        target.requester_id,
        target.requester_email,
    ):
        raise DifferentRequesters


def _move_everything(source: Ticket, target: Ticket) -> None:
    Reply.objects.filter(ticket=source, origin__isnull=True).update(origin=source)
    Reply.objects.filter(ticket=source).update(ticket=target)
    source.inbound.update(ticket=target)
    source.outbound.update(ticket=target)
    known = InboundReference.objects.filter(ticket=source)
    InboundReference.objects.bulk_create(
        [
            InboundReference(message_id=row.message_id, ticket=target, is_mention=row.is_mention)
            for row in known
        ],
        ignore_conflicts=True,
    )
    carry_participants(source, target)
    target.tags.add(*source.tags.all())
    indexing.index_words(target, indexing.words_of(source))


def _close_source(source: Ticket, target: Ticket, actor: User | None, now: datetime) -> None:
    before = source.status
    source.status, source.merged_into = lifecycle.CLOSED, target
    source.resolved_at, source.closed_at = source.resolved_at or now, source.closed_at or now
    source.last_reply, source.reply_count = None, 0
    note(source, TicketEvent.Kind.MERGED, actor=actor, at=now, into=target.number)
    if before != lifecycle.CLOSED:
        note(
            source,
            TicketEvent.Kind.STATUS,
            actor=actor,
            at=now,
            **{"from": before, "to": lifecycle.CLOSED},
        )
    escalation.resolve_alert_of(source)
    clocks.refresh(source, now=now)
    source.bump()
    source.save()


def _awaits_answer(ticket: Ticket) -> bool:
    """Return whether the customer spoke last and nobody has declared the matter settled."""
    last = ticket.replies.public().order_by("said_at", "id").last()
    return last is not None and last.is_from_customer and not ticket.is_done


def _tell_target(
    source: Ticket, target: Ticket, actor: User | None, now: datetime, *, asked: bool
) -> None:
    note(target, TicketEvent.Kind.MERGED_IN, actor=actor, at=now, number=source.number)
    recount(target)
    if asked and not target.is_done:
        # The question came along, and someone waits for its answer from here on.
        note(target, TicketEvent.Kind.CUSTOMER_REPLY, actor=None, at=now, merged=source.number)
    clocks.refresh(target, now=now)
    target.bump()
    target.save()


def recount(ticket: Ticket) -> None:
    """Bring what a ticket row says about its replies up to date; no save."""
    replies = ticket.replies.order_by("said_at", "id")
    ticket.last_reply, ticket.reply_count = replies.last(), replies.count()
    customer = replies.filter(is_from_customer=True).last()
    staff = replies.filter(is_from_customer=False, kind=Reply.Kind.PUBLIC).last()
    ticket.last_customer_reply_at = customer.said_at if customer else None
    ticket.last_staff_reply_at = staff.said_at if staff else None


def join_suggested(*, actor: User, ticket: Ticket) -> Ticket:
    """Merge a ticket into the one that its mail mentions, which is returned.

    The people may differ: whoever calls this has decided that they may read each other. The
    requester of the joined ticket takes part in the other from now on.
    """
    message = InboundMessage.objects.suggested_for(ticket).first()
    if message is None or message.may_belong_to is None:
        raise NothingSuggested
    target = message.may_belong_to.merged_into or message.may_belong_to
    with transaction.atomic():
        joined = merge_tickets(actor=actor, source=ticket, into=target, is_across_people=True)
        add_participants(joined, [(ticket.customer_email, ticket.customer_name)])
        InboundMessage.objects.filter(pk=message.pk).update(may_belong_to=None)
        audit.record(
            "support.ticket.joined", actor=actor, target=ticket, metadata={"into": joined.number}
        )
    return joined


@decides("support.split_ticket", permission="support.merge_ticket", concerns=concerned.requester)
@transaction.atomic
def split_ticket(*, actor: User, ticket: Ticket, replies: Sequence[int], subject: str) -> Ticket:
    """Move some replies into a ticket of their own, linked to this one."""
    source = lock_ticket(ticket)
    chosen = source.replies.filter(pk__in=list(replies)).order_by("said_at", "id")
    found = list(chosen)
    public_left = source.replies.public().exclude(pk__in=list(replies)).exists()
    if not found or len(found) != len(set(replies)) or not public_left:
        raise CannotSplit
    now = timezone.now()
    split = _new_from(source, one_line(subject), now)
    for reply in found:
        reply.origin = reply.origin or source
        reply.ticket = split
        reply.save(update_fields=["ticket", "origin", "updated_at"])
    note(split, TicketEvent.Kind.OPENED, actor=actor, at=now, version=split.sla_version_id)
    note(split, TicketEvent.Kind.SPLIT, actor=actor, at=now, number=source.number)
    note(source, TicketEvent.Kind.SPLIT, actor=actor, at=now, number=split.number)
    for each in (split, source):
        recount(each)
        clocks.refresh(each, now=now)
        each.bump()
        each.save()
        indexing.reindex(each)
    link_tickets(actor=actor, ticket=source, other=split)
    audit.record("support.ticket.split", actor=actor, target=source, after={"new": split.number})
    return split


def _new_from(source: Ticket, subject: str, now: datetime) -> Ticket:
    split = Ticket(
        subject=subject,
        requester=source.requester,
        requester_email=source.requester_email,
        requester_name=source.requester_name,
        language=source.language,
        assignee=source.assignee,
        category=source.category,
        priority=source.priority,
        channel=source.channel,
        number=next_number(now.year),
    )
    split.sla_version = version_for(split)
    split.save()
    split.tags.set(source.tags.all())
    return split


@decides("support.link_tickets", permission="support.merge_ticket", concerns=concerned.either)
@transaction.atomic
def link_tickets(*, actor: User, ticket: Ticket, other: Ticket, note_text: str = "") -> TicketLink:
    """Note that two tickets are about the same matter."""
    if ticket.pk == other.pk:
        raise AlreadyLinked
    first, second = sorted((ticket, other), key=lambda t: t.pk)
    link, created = TicketLink.objects.get_or_create(
        first=first, second=second, defaults={"note": note_text[:200]}
    )
    if not created:
        raise AlreadyLinked
    now = timezone.now()
    note(ticket, TicketEvent.Kind.LINKED, actor=actor, at=now, number=other.number)
    note(other, TicketEvent.Kind.LINKED, actor=actor, at=now, number=ticket.number)
    audit.record("support.ticket.linked", actor=actor, target=ticket, after={"to": other.number})
    return link


@decides("support.unlink_tickets", permission="support.merge_ticket", concerns=concerned.either)
@transaction.atomic
def unlink_tickets(*, actor: User, ticket: Ticket, other: Ticket) -> None:
    """Take the link away again."""
    first, second = sorted((ticket, other), key=lambda t: t.pk)
    gone, _rows = TicketLink.objects.filter(first=first, second=second).delete()
    if not gone:
        raise NotFound
    now = timezone.now()
    note(ticket, TicketEvent.Kind.UNLINKED, actor=actor, at=now, number=other.number)
    note(other, TicketEvent.Kind.UNLINKED, actor=actor, at=now, number=ticket.number)
    audit.record("support.ticket.unlinked", actor=actor, target=ticket, after={"to": other.number})
