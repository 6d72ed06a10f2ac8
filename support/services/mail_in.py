"""Incoming mail: stored as it came, then read, then put where it belongs, each exactly once."""

import hashlib
import logging
import re
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from support import mail_threading
from support.mail_parsing import IncomingMail, UnparsableMail, parse_mail
from support.models import InboundMessage, InboundReference, Mailbox, OutboundMessage, Reply, Ticket
from support.models.tickets import TicketLink
from support.services import mail_out
from support.services.attachments import attach_mailed
from support.services.history import note
from support.services.merging import join_threads
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
# What a relay adds on the way differs between two copies of the same mail.
CONTENT_HEADERS = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"in-reply-to",
                   b"content-type")  # fmt: skip
ANSWER_PREFIX = re.compile(
    r"^((re|rv|aw|sv|fwd?|rif|res|enc)\s*(\[\d+\])?\s*:\s*|\[T-\d{4}-\d+\]\s*)+", re.IGNORECASE
)


def content_hash(raw: bytes) -> str:
    """A digest equal for two copies of one mail, whichever way each came."""
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
        mail = parse_mail(bytes(message.raw))
    except UnparsableMail as error:
        message.status, message.reason = InboundMessage.Status.FAILED, str(error)
        return
    message.kind, message.sender = mail.kind, mail.sender
    message.subject = mail.subject
    first = _same_mail(message)
    if not mail.sender:
        message.status, message.reason = InboundMessage.Status.FAILED, _("It names no sender.")
    elif first is not None:
        message.status, message.ticket = InboundMessage.Status.DUPLICATE, first.ticket
        message.reason = _("The same mail came through %(box)s.") % {"box": first.mailbox}
    elif mail.kind == "loop" and not take:
        _ignore(message, _("This is our own mail, come back to us."))
    elif mail.kind in ("bounce", "auto_reply") and not take:
        _note_automatic(message, mail)
    else:
        _take(message, mail)


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
    """Automatic mail never moves a ticket; staff see that it came."""
    if mail.kind == "bounce" and mail.failed_message_ids:
        OutboundMessage.objects.filter(message_id__in=mail.failed_message_ids).update(
            status=OutboundMessage.Status.BOUNCED, last_error=mail.subject
        )
    ticket = _find_ticket(mail)
    if ticket is None:
        _ignore(message, _("An automatic message that belongs to no ticket."))
        return
    heading = _("Our mail bounced") if mail.kind == "bounce" else _("Automatic answer received")
    message.reply = add_system_note(ticket=ticket, body=f"**{heading}**\n\n{mail.text[:2000]}")
    message.ticket, message.status = ticket, InboundMessage.Status.PROCESSED


def _take(message: InboundMessage, mail: IncomingMail) -> None:
    ticket = _find_ticket(mail)
    body = (visible_text(mail.text) or _("(no text)"))[:MAX_BODY]
    sender = _account_of(mail.sender)
    earlier = None
    if ticket is not None and not may_reopen(ticket, timezone.now()):
        earlier, ticket = ticket, None
    if ticket is None:
        reply = _open(message, mail, sender, body)
        if earlier is not None:
            _follow_up(earlier, reply.ticket)
    elif sender is not None and sender.is_staff and sender != ticket.requester:
        # Anyone can write a colleague's name into a mail: it may inform, not answer.
        reply = add_system_note(ticket=ticket, body=body, author_name=mail.sender)
    else:
        own = sender if sender is not None and sender == ticket.requester else None
        reply = reply_as_customer(
            ticket=ticket,
            body=body,
            author=own,
            author_name=mail.sender,
            source=Reply.Source.EMAIL,
        )
    left = attach_mailed(reply, mail.attachments)
    message.reply, message.ticket = reply, reply.ticket
    message.status = InboundMessage.Status.PROCESSED
    _remember(mail, reply.ticket)
    if left:
        text = _("Files left in the raw mail: %(names)s") % {"names": ", ".join(left)}
        add_system_note(ticket=reply.ticket, body=text[:2000])


def _open(message: InboundMessage, mail: IncomingMail, sender: User | None, body: str) -> Reply:
    subject = visible_text(ANSWER_PREFIX.sub("", mail.subject)) or _("(no subject)")
    ticket = open_ticket(
        actor=None,
        requester=sender,
        requester_email=mail.sender,
        requester_name=mail.sender_name,
        subject=subject,
        body=body,
        category=message.mailbox.category,
        channel=Ticket.Channel.EMAIL,
        acknowledge=False,
    )
    if not mail.wants_no_answer:
        message.ticket = ticket
        message.save(update_fields=["ticket"])  # so that the answer leaves from this mailbox
        mail_out.acknowledge(ticket)
    assert ticket.last_reply is not None  # noqa: S101 - a ticket opens with its first message
    return ticket.last_reply


def _follow_up(earlier: Ticket, ticket: Ticket) -> None:
    first, second = sorted((earlier, ticket), key=lambda t: t.pk)
    TicketLink.objects.get_or_create(first=first, second=second)
    now = timezone.now()
    note(ticket, "linked", actor=None, at=now, number=earlier.number)
    note(earlier, "linked", actor=None, at=now, number=ticket.number)


def _account_of(address: str) -> User | None:
    """The one active account with this address; two of the same leave it open."""
    found = list(User.objects.filter(email__iexact=address, is_active=True)[:2]) if address else []
    return found[0] if len(found) == 1 else None


def _find_ticket(mail: IncomingMail) -> Ticket | None:
    """The ticket a mail belongs to: by address tag, by thread, by number in the subject."""
    for key in mail_out.address_keys():
        number = mail_threading.number_of_addresses(mail.recipients, key)
        if number:
            found = Ticket.objects.filter(number=number).select_related("merged_into").first()
            if found is not None:
                return found.merged_into or found
    return _by_thread(mail) or _by_subject(mail)


def _by_thread(mail: IncomingMail) -> Ticket | None:
    ids = [i for i in (*mail.references, *mail.failed_message_ids, mail.message_id) if i]
    found = Ticket.objects.filter(references__message_id__in=ids).select_related("merged_into")
    roots = {t.pk: t for t in ((t.merged_into or t) for t in found)}
    if len(roots) > 1:
        return join_threads(list(roots.values()))
    return next(iter(roots.values()), None)


def _by_subject(mail: IncomingMail) -> Ticket | None:
    """A number alone can be guessed, so the sender must be the one the ticket belongs to."""
    number = mail_threading.subject_number(mail.subject)
    if not number:
        return None
    found = (
        Ticket.objects.filter(number=number)
        .select_related("requester", "merged_into__requester")
        .first()
    )
    ticket = (found.merged_into or found) if found else None
    if ticket is None or ticket.customer_email.lower() != mail.sender:
        return None
    return ticket


def _remember(mail: IncomingMail, ticket: Ticket) -> None:
    ids = dict.fromkeys(i for i in (mail.message_id, *mail.references) if i)
    InboundReference.objects.bulk_create(
        [InboundReference(message_id=i[:500], ticket=ticket) for i in ids], ignore_conflicts=True
    )


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
    """Make a ticket of a mail that was ignored or could not be read before."""
    done = process_mail(message.pk, again=True)
    audit.record("support.mail.processed", actor=actor, target=done, after={"status": done.status})
    return done
