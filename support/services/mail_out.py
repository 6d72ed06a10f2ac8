"""Mail to customers through an outbox: written with the cause, sent once, retried, never lost."""

import hashlib
import hmac
import secrets
import smtplib
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from support import mail_threading
from support.errors import MailNotFailed
from support.mail_bodies import REPLY_MARK
from support.mail_html import html_to_text
from support.markdown import render_markdown
from support.models import InboundReference, Mailbox, OutboundMessage, Reply, Ticket
from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.outbox import LEASE, DeliveryFailed, Outbox
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User
from systemadmin.services import notify_user, raise_alert, resolve_alert

DELIVER = "support.tasks.deliver_mail"
BACKOFF = (1, 5, 30, 120, 600)  # minutes after the first, second, … failure
MAX_ATTACHED = 10 * 1024 * 1024
DEAD_RULE = "support.mail_dead"
BOUNCE_RULE = "support.mail_bounced"
# The requester of a mail that names no sender: a ticket belongs to somebody, and this host
# cannot exist (RFC 2606).
NOBODY_HOST = "@sender.invalid"


def address_keys() -> list[bytes]:
    """Keys that sign reply addresses: the present one, then those being retired."""
    return [
        hmac.new(key.encode(), b"support-reply-address", hashlib.sha256).digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def mailbox_of(ticket: Ticket) -> Mailbox | None:
    """The mailbox a ticket came through, else the desk's first."""
    inbound = ticket.inbound.defer("raw").select_related("mailbox").order_by("pk").first()
    return inbound.mailbox if inbound else Mailbox.objects.filter(is_active=True).first()


def send_reply(reply: Reply, ticket: Ticket) -> OutboundMessage | None:
    """Send a public answer by mail, and word of it by Telegram where linked."""
    if ticket.requester is not None:
        notify_user(
            user=ticket.requester,
            kind="support.reply",
            subject=f"[{ticket.number}] {ticket.subject}",
            body=html_to_text(render_markdown(reply.body)),
            channels=("telegram",),
            key=f"support-reply-{reply.pk}",
        )
    return _queue(
        ticket,
        kind=OutboundMessage.Kind.REPLY,
        body=reply.body,
        reply=reply,
        key=f"reply-{reply.pk}",
    )


def acknowledge(ticket: Ticket) -> OutboundMessage | None:
    """Tell the customer that we have the ticket, unless that could start a loop."""
    if not setting("support.acknowledge") or _answered_enough(ticket.customer_email):
        return None
    with override(ticket.language):
        body = _(
            "We have received your message and given it the number **%(number)s**. "
            "To add something, just answer this mail."
        ) % {"number": ticket.number}
    return _queue(
        ticket, kind=OutboundMessage.Kind.RECEIVED, body=body, key=f"received-{ticket.pk}"
    )


def announce_resolution(ticket: Ticket, *, now: datetime) -> OutboundMessage | None:
    """Tell the customer that the matter is resolved and ask what they think."""
    with override(ticket.language):
        body = _(
            "Your request **%(number)s** is resolved. If it is not, just answer this mail. "
            "You can rate our help in the app."
        ) % {"number": ticket.number}
    key = f"resolved-{ticket.pk}-{int(now.timestamp())}"
    return _queue(ticket, kind=OutboundMessage.Kind.RESOLVED, body=body, key=key)


def _answered_enough(recipient: str) -> bool:
    since = timezone.now() - timedelta(hours=1)
    sent = OutboundMessage.objects.filter(
        kind=OutboundMessage.Kind.RECEIVED, recipient__iexact=recipient, created_at__gte=since
    )
    return sent.count() >= setting("support.acknowledgements_per_hour")


def _queue(
    ticket: Ticket, *, kind: str, body: str, key: str, reply: Reply | None = None
) -> OutboundMessage | None:
    recipient = ticket.customer_email
    if (
        not recipient
        or recipient.endswith(NOBODY_HOST)
        or (ticket.requester is not None and ticket.requester.is_demo)
    ):
        return None  # demo people have made-up addresses; mail to them would only bounce
    html = render_markdown(body)
    message, created = OutboundMessage.objects.get_or_create(
        key=f"{key}:{recipient}"[:150],
        defaults={
            "ticket": ticket,
            "reply": reply,
            "kind": kind,
            "recipient": recipient,
            "message_id": _message_id(ticket),
            "in_reply_to": _last_heard(ticket),
            "subject": single_line(f"[{ticket.number}] {ticket.subject}", 300),
            "text": html_to_text(html),
            "html": html,
        },
    )
    if created:
        InboundReference.objects.create(message_id=message.message_id, ticket=ticket)
        OUTBOX.post(message)
    return message


def _message_id(ticket: Ticket) -> str:
    host = _from_address(mailbox_of(ticket)).rpartition("@")[2] or "localhost"
    return f"{ticket.number.lower()}.{secrets.token_hex(12)}@{host}"


def _last_heard(ticket: Ticket) -> str:
    inbound = ticket.inbound.defer("raw").exclude(message_id="").order_by("-pk").first()
    if inbound is not None:
        return inbound.message_id
    sent = ticket.outbound.order_by("-pk").first()
    return sent.message_id if sent else ""


def _from_address(mailbox: Mailbox | None) -> str:
    return mailbox.address if mailbox else parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def _send(message: OutboundMessage) -> None:
    try:
        _compose(message).send()
    except Exception as error:  # whatever the mail server does, the message stays ours
        reason = f"{type(error).__name__}: {error}"
        raise DeliveryFailed(reason, is_permanent=_is_refusal(error)) from error


def _compose(message: OutboundMessage) -> EmailMultiAlternatives:
    ticket, box = message.ticket, mailbox_of(message.ticket)
    address = _from_address(box)
    name = (box.name if box else "") or parseaddr(settings.DEFAULT_FROM_EMAIL)[0]
    headers = {
        "Message-ID": f"<{message.message_id}>",
        mail_threading.LOOP_HEADER: ticket.number,
        "References": " ".join(f"<{known}>" for known in _thread(message)),
    }
    if message.in_reply_to:
        headers["In-Reply-To"] = f"<{message.in_reply_to}>"
    if message.kind != OutboundMessage.Kind.REPLY:
        headers["Auto-Submitted"] = "auto-replied"
        headers["X-Auto-Response-Suppress"] = "All"
    mail = EmailMultiAlternatives(
        single_line(message.subject),
        f"{REPLY_MARK}\n\n{message.text}\n",
        formataddr((single_line(name), address)),
        [message.recipient],
        reply_to=[mail_threading.reply_address(address, ticket.number, address_keys()[0])],
        headers={name: value for name, value in headers.items() if value},
    )
    mail.attach_alternative(f"<p>{REPLY_MARK}</p>\n{message.html}", "text/html")
    _attach(mail, message.reply)
    return mail


def _thread(message: OutboundMessage) -> list[str]:
    known = (
        InboundReference.objects.filter(ticket=message.ticket, is_mention=False)
        .exclude(message_id=message.message_id)
        .order_by("-pk")
        .values_list("message_id", flat=True)[:20]
    )
    return [m for m in reversed(known) if m.isprintable() and " " not in m]


def _attach(mail: EmailMultiAlternatives, reply: Reply | None) -> None:
    room = MAX_ATTACHED
    for attachment in reply.attachments.all() if reply else []:
        if attachment.size <= room:
            room -= attachment.size
            with attachment.file.open("rb") as stream:
                name = single_line(attachment.name)
                mail.attach(name, stream.read(), single_line(attachment.content_type))


def _given_up(message: OutboundMessage) -> None:
    raise_alert(
        rule=DEAD_RULE,
        severity="warning",
        summary=f"{message.ticket.number}: mail to the customer could not be sent",
        detail=message.last_error,
        key=str(message.pk),
    )


def _is_refusal(error: Exception) -> bool:
    """A server that says never (5xx about this mail) will say it again."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused):
        return error.smtp_code >= 550
    return False


OUTBOX = Outbox(
    task=DELIVER,
    rows=lambda: OutboundMessage.objects.select_related("ticket__requester", "reply"),
    send=_send,
    wait=lambda attempts: 60 * BACKOFF[attempts - 1],
    most_attempts=len(BACKOFF) + 1,
    # What a dead worker held goes out again under the same Message-ID, which mail systems
    # recognise.
    lease=LEASE,
    on_given_up=_given_up,
)


@transaction.atomic
def retry(*, actor: User, message: OutboundMessage) -> OutboundMessage:
    """Give a mail that was given up, or came back, another round of attempts.

    Raises `MailNotFailed` for one that was sent or still waits.
    """
    again = (OutboundMessage.Status.FAILED, OutboundMessage.Status.BOUNCED)
    if not OUTBOX.revive(message.pk, of=again):
        raise MailNotFailed
    resolve_alert(rule=DEAD_RULE, key=str(message.pk))
    resolve_alert(rule=BOUNCE_RULE, key=str(message.pk))
    audit.record("support.mail.retried", actor=actor, target=message)
    message.refresh_from_db()
    return message
