"""Mail to customers through an outbox: written with the cause, sent once, retried, never lost."""

import hashlib
import secrets
import smtplib
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from support.errors import MailNotFailed
from support.mail_html import html_to_text
from support.markdown import render_markdown
from support.models import Attachment, InboundReference, OutboundMessage, Reply, Ticket
from support.services import file_links
from support.services.mail_compose import compose, from_address, mailbox_of
from support.services.mail_history import history_for, signature_of
from support.services.new_addresses import unconfirmed_change
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.outbox import LEASE, DeliveryFailed, Outbox
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User
from systemadmin.services import notify_user, raise_alert, resolve_alert
from systemadmin.services.resend import resend

DELIVER = "support.tasks.deliver_mail"
BACKOFF = (1, 5, 30, 120, 600)  # minutes after the first, second, … failure
DEAD_RULE = "support.mail_dead"
BOUNCE_RULE = "support.mail_bounced"
# The requester of a mail that names no sender: a ticket belongs to somebody, and this host
# cannot exist (RFC 2606).
NOBODY_HOST = "@sender.invalid"


def send_reply(reply: Reply, ticket: Ticket, *, to_all: bool = False) -> list[OutboundMessage]:
    """Send a public answer by mail, to the requester alone or to all who take part.

    Each gets a copy of their own. Accounts with Telegram are notified there too.
    """
    if ticket.requester is not None:
        words = _telegram_words(ticket, reply)
        notify_user(
            user=ticket.requester,
            kind="support.reply",
            subject=words["subject"],
            body=words["body"],
            channels=("telegram",),
            key=f"support-reply-{reply.pk}",
        )
    recipients = [ticket.customer_email] if _is_reachable(ticket) else []
    if to_all:
        recipients += ticket.participants.present().values_list("address", flat=True)
    large = file_links.too_large_for_mail(reply) if recipients else []
    _safe, withheld = file_links.split_by_safety(large)
    box = mailbox_of(ticket)
    body = reply.body + _notice_of_withheld(ticket, withheld) + signature_of(box, reply)
    sent = [
        _queue(
            ticket,
            recipient,
            kind=OutboundMessage.Kind.REPLY,
            body=body + history_for(recipient, reply, ticket, box),
            reply=reply,
            key=f"reply-{reply.pk}",
        )
        for recipient in dict.fromkeys(recipients)
    ]
    for message in sent:
        file_links.make_links(message, large)
    return sent


def _telegram_words(ticket: Ticket, reply: Reply) -> dict[str, str]:
    """Return the text of the notice, without the answer where others may read the notices.

    So it is with a confined ticket, and with a chat that the customer has not confirmed.
    """
    if ticket.is_confined or unconfirmed_change(ticket, "telegram_chat_id"):
        with override(ticket.language):
            return {"subject": f"[{ticket.number}]", "body": _("There is an answer. Open the app.")}
    return {
        "subject": f"[{ticket.number}] {ticket.subject}",
        "body": html_to_text(render_markdown(reply.body)),
    }


def _notice_of_withheld(ticket: Ticket, files: list[Attachment]) -> str:
    """Return the mail's sentence on files that neither fit into it nor may be sent as a link."""
    if not files:
        return ""
    with override(ticket.language):
        told = _("Not sent with this mail, because they may be unsafe: %(names)s") % {
            "names": ", ".join(file.name for file in files)
        }
    return f"\n\n{told}"


def acknowledge(ticket: Ticket) -> OutboundMessage | None:
    """Confirm to the customer that we have the ticket, unless that could start a loop."""
    if not setting("support.acknowledge") or _answered_enough(ticket.customer_email):
        return None
    with override(ticket.language):
        body = _(
            "We have received your message and given it the number **%(number)s**. "
            "To add something, just answer this mail."
        ) % {"number": ticket.number}
    return _queue_for_requester(
        ticket, kind=OutboundMessage.Kind.RECEIVED, body=body, key=f"received-{ticket.pk}"
    )


def announce_resolution(ticket: Ticket, *, now: datetime) -> OutboundMessage | None:
    """Write to the customer that the matter is resolved, and ask for a rating."""
    with override(ticket.language):
        body = _(
            "Your request **%(number)s** is resolved. If it is not, just answer this mail. "
            "You can rate our help in the app."
        ) % {"number": ticket.number}
    key = f"resolved-{ticket.pk}-{int(now.timestamp())}"
    return _queue_for_requester(ticket, kind=OutboundMessage.Kind.RESOLVED, body=body, key=key)


def _answered_enough(recipient: str) -> bool:
    since = timezone.now() - timedelta(hours=1)
    sent = OutboundMessage.objects.filter(
        kind=OutboundMessage.Kind.RECEIVED, recipient__iexact=recipient, created_at__gte=since
    )
    return sent.count() >= setting("support.acknowledgements_per_hour")


def _is_reachable(ticket: Ticket) -> bool:
    """Return whether mail to the requester may leave, and can arrive.

    Demo people have made-up addresses. A new address waits until the customer has confirmed it.
    """
    address = ticket.customer_email
    is_demo = ticket.requester is not None and ticket.requester.is_demo
    if not address or address.endswith(NOBODY_HOST) or is_demo:
        return False
    return unconfirmed_change(ticket) is None


def _queue_for_requester(
    ticket: Ticket, *, kind: str, body: str, key: str
) -> OutboundMessage | None:
    if not _is_reachable(ticket):
        return None
    return _queue(ticket, ticket.customer_email, kind=kind, body=body, key=key)


def _queue(
    ticket: Ticket, recipient: str, *, kind: str, body: str, key: str, reply: Reply | None = None
) -> OutboundMessage:
    html = render_markdown(body)
    message, created = OutboundMessage.objects.get_or_create(
        key=_key(key, recipient),
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


def _key(cause: str, recipient: str) -> str:
    """One row per cause and recipient; a long address is told apart by its digest."""
    if len(recipient) > 100:
        recipient = hashlib.sha256(recipient.encode()).hexdigest()
    return f"{cause}:{recipient}"


def _message_id(ticket: Ticket) -> str:
    host = from_address(mailbox_of(ticket)).rpartition("@")[2] or "localhost"
    return f"{ticket.number.lower()}.{secrets.token_hex(12)}@{host}"


def _last_heard(ticket: Ticket) -> str:
    inbound = ticket.inbound.defer("raw").exclude(message_id="").order_by("-pk").first()
    if inbound is not None:
        return inbound.message_id
    sent = ticket.outbound.order_by("-pk").first()
    return sent.message_id if sent else ""


def _send(message: OutboundMessage) -> None:
    try:
        compose(message).send()
    except Exception as error:  # whatever the mail server does, the message stays ours
        reason = f"{type(error).__name__}: {error}"
        raise DeliveryFailed(reason, is_permanent=_is_refusal(error)) from error


def _given_up(message: OutboundMessage) -> None:
    raise_alert(
        rule=DEAD_RULE,
        severity="warning",
        summary=gettext_noop("%(ticket)s: mail to the customer could not be sent"),
        facts={"ticket": message.ticket.number},
        detail=message.last_error,
        key=str(message.pk),
    )


def _is_refusal(error: Exception) -> bool:
    """Return whether a server says never (5xx about this mail), which it will say again."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused):
        return error.smtp_code >= 550
    return False


OUTBOX = Outbox(
    task=DELIVER,
    rows=lambda: OutboundMessage.objects.select_related(
        "ticket__requester", "ticket__mailbox", "reply"
    ),
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
    resend(
        OUTBOX,
        message,
        actor=actor,
        action="support.mail.retried",
        refusal=MailNotFailed,
        of=(OutboundMessage.Status.FAILED, OutboundMessage.Status.BOUNCED),
    )
    resolve_alert(rule=DEAD_RULE, key=str(message.pk))
    resolve_alert(rule=BOUNCE_RULE, key=str(message.pk))
    message.refresh_from_db()
    return message
