"""Incoming mail: stored as it came, then read, then put where it belongs, each exactly once."""

import hashlib
import logging
import re
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from support.mail_bodies import shortened
from support.mail_headers import plain_address
from support.mail_parsing import IncomingMail, UnparsableMail, bare_mail, parse_mail
from support.models import BlockedSender, InboundMessage, InboundReference, Mailbox, Reply, Ticket
from support.services import agent_mail, mail_late, mail_notices, mail_out, mail_pictures, spam
from support.services.mail_notices import AUTOMATIC
from support.services.mail_places import (
    account_of,
    find_place,
    is_our_own,
    link_threads,
    own_addresses,
    remember,
)
from support.services.replies import add_system_note, may_reopen, reply_as_customer
from support.services.tickets import MAX_BODY, open_ticket
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.queue import enqueue
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import User

logger = logging.getLogger("atalaya.mail")

PROCESS = "support.tasks.process_mail"
INBOX = Batch("support.sweep_inbox", is_atomic=False)
MAX_ATTEMPTS = 3
MAX_TAKEN = 200
# What a relay adds on the way differs between two copies of the same mail.
CONTENT_HEADERS = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"in-reply-to",
                   b"content-type", b"reply-to")  # fmt: skip
ANSWER_PREFIX = re.compile(
    r"^((re|rv|aw|sv|fwd?|rif|res|enc)\s*(\[\d+\])?\s*:\s*|\[T-\d{4}-\d+\]\s*)+", re.IGNORECASE
)


def content_hash(raw: bytes) -> str:
    """Return a digest equal for two copies of one mail, whichever way each came."""
    head, _separator, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    unfolded = re.sub(rb"\n[ \t]+", b" ", head)
    kept = sorted(
        line.strip()
        for line in unfolded.split(b"\n")
        if line.split(b":")[0].strip().lower() in CONTENT_HEADERS
    )
    return hashlib.sha256(b"\n".join(kept) + b"\n\n" + body.strip()).hexdigest()


def store_mail(*, mailbox: Mailbox, raw: bytes) -> tuple[InboundMessage, bool]:
    """Keep a mail's bytes before anything else; returns it and whether it is new.

    When this returns outside a transaction the mail is safe, and may be acknowledged.
    """
    values = {
        "mailbox": mailbox,
        "message_id": _own_id(raw),
        "content_hash": content_hash(raw),
    }
    known = InboundMessage.objects.light().filter(**values).first()
    if known is not None:
        return known, False
    try:
        with transaction.atomic():
            message = InboundMessage.objects.create(raw=raw, size=len(raw), **values)
            enqueue(PROCESS, message.pk)
    except IntegrityError:  # a second fetcher was a moment faster
        return InboundMessage.objects.light().get(**values), False
    return message, True


def _own_id(raw: bytes) -> str:
    head = re.sub(
        rb"\r?\n[ \t]+", b" ", raw[:65536].partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
    )
    match = re.search(rb"(?im)^message-id\s*:[^<\n]*<([^<>\s]{1,500})>", head)
    return match[1].decode("ascii", "replace").replace("\x00", "") if match else ""


def process_mail(pk: int, *, again: bool = False) -> InboundMessage:
    """Put a stored mail where it belongs; a second call finds it done."""
    try:
        with transaction.atomic():
            return _process(pk, again)
    except Exception as error:
        logger.exception("a mail could not be processed", extra={"mail": pk})
        return _note_failure(pk, error)


def _process(pk: int, again: bool) -> InboundMessage:
    message = lock_row(InboundMessage.objects.select_related("mailbox"), pk=pk)
    waiting = message.status == InboundMessage.Status.RECEIVED
    if not waiting and not (again and message.ticket_id is None):
        return message
    # A mail and its answer fetched together must not open two tickets: one at a time.
    with named_lock("support.inbound", wait=True):
        _route(message, take=again)
    message.attempts += 1
    message.save()
    return message


def _route(message: InboundMessage, *, take: bool) -> None:
    try:
        mail = parse_mail(bytes(message.raw), own=own_addresses())
    except UnparsableMail as error:
        message.status, message.reason = InboundMessage.Status.FAILED, str(error)
        return
    message.kind, message.sender = mail.kind, mail.sender
    message.subject, message.reply_to = mail.subject, mail.reply_to
    first = _same_mail(message)
    if first is not None:
        message.status, message.ticket = InboundMessage.Status.DUPLICATE, first.ticket
        message.reason = _("The same mail came through %(box)s.") % {"box": first.mailbox}
    elif take:
        _take(message, mail)
    elif is_our_own(mail):
        message.kind = "loop"
        _ignore(message, _("This is our own mail, come back to us."))
    elif mail.kind in AUTOMATIC:
        _note_automatic(message, mail)
    elif (block := _block_of(mail)) is not None:
        message.kind, message.blocked_by = "blocked", block
        _ignore(message, _("An agent has blocked this sender."))
    elif not mail.sender:
        message.status, message.reason = InboundMessage.Status.FAILED, _("It names no sender.")
    else:
        _take(message, mail)


def _block_of(mail: IncomingMail) -> BlockedSender | None:
    """Return the rule that blocks the sender or the reply address; colleagues are never blocked."""
    sender = account_of(mail.sender)
    if sender is not None and sender.is_staff:
        return None
    return spam.block_of(mail.sender) or spam.block_of(mail.reply_to)


def _ignore(message: InboundMessage, reason: str) -> None:
    message.status, message.reason = InboundMessage.Status.IGNORED, reason


def _same_mail(message: InboundMessage) -> InboundMessage | None:
    if not message.message_id:
        return None
    return (
        InboundMessage.objects.light()
        .select_related("ticket", "mailbox")
        .filter(
            content_hash=message.content_hash,
            message_id=message.message_id,
            status=InboundMessage.Status.PROCESSED,
        )
        .exclude(pk=message.pk)
        .first()
    )


def _note_automatic(message: InboundMessage, mail: IncomingMail) -> None:
    ticket = mail_notices.note_automatic(message, mail)
    if ticket is None:
        _ignore(message, _("An automatic message that belongs to no ticket."))
    else:
        message.ticket, message.status = ticket, InboundMessage.Status.PROCESSED


def _take(message: InboundMessage, mail: IncomingMail) -> None:
    """Put a person's mail on the ticket it proves to belong to, or open one for it."""
    if _take_from_agent(message, mail):
        return
    place = find_place(mail)
    ticket, earlier = place.ticket, None
    if ticket is not None and not may_reopen(ticket, timezone.now()):
        earlier, ticket = ticket, None
    reply = _open(message, mail) if ticket is None else _continue(ticket, mail)
    for other in filter(None, (earlier, *place.linked)):
        link_threads(other, reply.ticket)
    message.reply, message.ticket = reply, reply.ticket
    left = mail_pictures.attach_files(message, mail)
    if mail.html:
        Reply.objects.filter(pk=reply.pk).update(original_html=mail.html)
    message.may_belong_to = place.suggested
    message.status, message.reason = InboundMessage.Status.PROCESSED, ""
    remember(mail, reply.ticket)
    mail_late.merge_earlier_answers(place.late, reply.ticket)
    _note_what_is_missing(reply.ticket, mail, left)


def _take_from_agent(message: InboundMessage, mail: IncomingMail) -> bool:
    """Return whether this is an agent's answer to a notice, or customer mail that one forwards."""
    taken = agent_mail.take_answer(mail)
    if taken is None and not mail.references:
        taken = agent_mail.take_forward(
            mail, lambda inner: _open(message, inner, is_acknowledged=False)
        )
    if taken is None:
        return False
    reply = taken.reply
    message.reply, message.ticket = reply, reply.ticket
    message.status, message.reason = InboundMessage.Status.PROCESSED, ""
    if mail.message_id:
        InboundReference.objects.get_or_create(
            message_id=mail.message_id[:500], ticket=reply.ticket
        )
    _note_what_is_missing(reply.ticket, mail, list(taken.left))
    return True


def _continue(ticket: Ticket, mail: IncomingMail) -> Reply:
    sender = account_of(mail.sender)
    texts = _texts(mail)
    if sender is not None and sender.is_staff and sender != ticket.requester:
        # Anyone can write a colleague's name into a mail: it may inform, not answer.
        return add_system_note(ticket=ticket, author_name=mail.sender, **texts)
    return reply_as_customer(
        ticket=ticket,
        author=sender if sender is not None and sender == ticket.requester else None,
        author_name=mail.sender,
        source=Reply.Source.EMAIL,
        **texts,
    )


def _texts(mail: IncomingMail) -> dict[str, Any]:
    """Return what is shown of a mail, and all of it where that is more."""
    body = visible_text(shortened(mail.text.strip(), MAX_BODY)) or _("(no text)")
    whole = mail.full_text.strip()
    return {"body": body, "original_text": whole if whole != body else ""}


def _note_what_is_missing(ticket: Ticket, mail: IncomingMail, left: list[str]) -> None:
    """Say what is only in the raw mail, to which the ticket links."""
    if left:
        text = _("Files left in the raw mail: %(names)s") % {"names": ", ".join(left)}
        add_system_note(ticket=ticket, body=text[:2000])
    if mail.is_cut_short or len(mail.text) > MAX_BODY:
        add_system_note(
            ticket=ticket,
            body=_(
                "The text is shown cut short. All of it is in the original text or the raw mail."
            ),
        )


def _open(message: InboundMessage, mail: IncomingMail, *, is_acknowledged: bool = True) -> Reply:
    subject = visible_text(ANSWER_PREFIX.sub("", mail.subject)) or _("(no subject)")
    sender = account_of(mail.sender)
    address, name = _requester(mail, sender)
    ticket = open_ticket(
        actor=None,
        requester=sender,
        requester_email=address or f"unknown{mail_out.NOBODY_HOST}",
        requester_name=name or ("" if address else _("Unknown sender")),
        subject=subject,
        category=message.mailbox.category,
        mailbox=message.mailbox,
        channel=Ticket.Channel.EMAIL,
        acknowledge=False,
        **_texts(mail),
    )
    if is_acknowledged and not mail.wants_no_answer and address:
        message.ticket = ticket
        message.save(update_fields=["ticket"])  # so that the answer leaves from this mailbox
        mail_out.acknowledge(ticket)
    assert ticket.last_reply is not None  # noqa: S101 - a ticket opens with its first message
    return ticket.last_reply


def _requester(mail: IncomingMail, sender: User | None) -> tuple[str, str]:
    """Return the address and name of whom a mail comes from.

    Reply-To says where answers go. It is not a sign-in: the account it names gets no ticket.
    """
    ours = map(plain_address, own_addresses())
    if sender is None and mail.reply_to and mail.reply_to not in ours:
        return mail.reply_to, mail.reply_to_name
    return mail.sender, mail.sender_name


def _note_failure(pk: int, error: Exception) -> InboundMessage:
    message = InboundMessage.objects.light().get(pk=pk)
    attempts = message.attempts + 1
    final = attempts >= MAX_ATTEMPTS or isinstance(error, DomainError)
    InboundMessage.objects.filter(pk=pk, status=InboundMessage.Status.RECEIVED).update(
        attempts=attempts,
        reason=f"{type(error).__name__}: {error}"[:1000],
        status=InboundMessage.Status.FAILED if final else InboundMessage.Status.RECEIVED,
        updated_at=timezone.now(),
    )
    message.refresh_from_db(fields=["attempts", "reason", "status"])
    return message


def sweep_inbox(*, older_than: datetime | None = None, batch: int = 200) -> int:
    """Process what was stored and, for whatever reason, not yet read."""
    waiting = InboundMessage.objects.waiting()
    if older_than is not None:
        waiting = waiting.filter(updated_at__lt=older_than)
    return len(INBOX.each(INBOX.due(waiting, batch), process_mail))


def process_again(*, actor: User, message: InboundMessage) -> InboundMessage:
    """Make a ticket of a mail that was ignored or could not be read before, whatever it is."""
    done = process_mail(message.pk, again=True)
    if done.ticket_id is None:
        done = _take_as_it_is(message.pk)
    audit.record("support.mail.processed", actor=actor, target=done, after={"status": done.status})
    return done


def unblock_and_take(*, actor: User, sender: BlockedSender, reason: str = "") -> int:
    """Unblock a sender and make tickets of the mail that the rule held; return how many.

    The newest MAX_TAKEN; the rest stays on the list.
    """
    held = sender.held.light().filter(ticket=None).order_by("-pk")[:MAX_TAKEN]
    messages = list(held)
    spam.unblock_sender(actor=actor, sender=sender, reason=reason)
    for message in reversed(messages):
        process_again(actor=actor, message=message)
    return len(messages)


@transaction.atomic
def _take_as_it_is(pk: int) -> InboundMessage:
    """Open a ticket with the source of a mail, of which nothing else can be made."""
    message = lock_row(InboundMessage.objects.select_related("mailbox"), pk=pk)
    if message.ticket_id is None:
        _take(message, bare_mail(bytes(message.raw)))
        message.save()
    return message
