"""An outgoing mail as the servers get it: headers, text, files, and links for what is too large."""

from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape, format_html
from django.utils.translation import gettext as _
from django.utils.translation import override

from support import mail_threading
from support.mail_bodies import REPLY_MARK
from support.models import (
    Attachment,
    FileLink,
    InboundReference,
    Mailbox,
    OutboundMessage,
    Ticket,
)
from support.services import file_links
from support.services.mail_keys import address_keys
from systemadmin.foundation.single_line import single_line


def mailbox_of(ticket: Ticket) -> Mailbox | None:
    """Return the mailbox a ticket came through, else the desk's first."""
    return ticket.mailbox or Mailbox.objects.filter(is_active=True, is_confined=False).first()


def from_address(mailbox: Mailbox | None) -> str:
    """Return the address that a mail leaves from."""
    return mailbox.address if mailbox else parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


class _OneCopy(EmailMultiAlternatives):
    """One copy of a mail: To and Cc name everybody who gets one, this goes to one of them."""

    receiver = ""

    def recipients(self) -> list[str]:
        """Only the receiver: each copy is sent, tracked and returned by itself."""
        return [self.receiver]


def compose(message: OutboundMessage) -> EmailMultiAlternatives:
    """Return the mail of a row of the outbox."""
    ticket, box = message.ticket, mailbox_of(message.ticket)
    address = from_address(box)
    name = (box.name if box else "") or parseaddr(settings.DEFAULT_FROM_EMAIL)[0]
    to, cc = _named_in_header(message)
    with override(ticket.language):
        text, html = _linked_files(message)
    mail = _OneCopy(
        single_line(message.subject),
        f"{REPLY_MARK}\n\n{message.text}{text}\n",
        formataddr((single_line(name), address)),
        to,
        cc=cc,
        reply_to=[mail_threading.reply_address(address, ticket.number, address_keys()[0])],
        headers=_headers(message),
    )
    mail.receiver = message.recipient
    mail.attach_alternative(f"<p>{REPLY_MARK}</p>\n{message.html}{html}", "text/html")
    for attachment in attached_files(message):
        with attachment.file.open("rb") as stream:
            kind = single_line(attachment.content_type)
            mail.attach(single_line(attachment.name), stream.read(), kind)
    return mail


def _headers(message: OutboundMessage) -> dict[str, str]:
    headers = {
        "Message-ID": f"<{message.message_id}>",
        mail_threading.LOOP_HEADER: message.ticket.number,
        "References": " ".join(f"<{known}>" for known in _thread(message)),
    }
    if message.in_reply_to:
        headers["In-Reply-To"] = f"<{message.in_reply_to}>"
    if message.kind != OutboundMessage.Kind.REPLY:
        headers["Auto-Submitted"] = "auto-replied"
        headers["X-Auto-Response-Suppress"] = "All"
    return {name: value for name, value in headers.items() if value}


def _named_in_header(message: OutboundMessage) -> tuple[list[str], list[str]]:
    """To and Cc: the requester, and those who get a copy of the same answer."""
    if message.reply_id is None:
        return [message.recipient], []
    rows = OutboundMessage.objects.filter(reply=message.reply_id).order_by("pk")
    everybody = list(rows.values_list("recipient", flat=True))
    first = message.ticket.customer_email
    to = first if first in everybody else message.recipient
    return [to], [address for address in everybody if address != to]


def _thread(message: OutboundMessage) -> list[str]:
    known = (
        InboundReference.objects.filter(ticket=message.ticket, is_mention=False)
        .exclude(message_id=message.message_id)
        .order_by("-pk")
        .values_list("message_id", flat=True)[:20]
    )
    return [m for m in reversed(known) if m.isprintable() and " " not in m]


def attached_files(message: OutboundMessage) -> list[Attachment]:
    """Return the files of an answer that go in the mail itself."""
    if message.reply_id is None:
        return []
    linked = FileLink.objects.filter(message=message).values("attachment")
    return list(Attachment.objects.filter(reply=message.reply_id).exclude(pk__in=linked))


def _linked_files(message: OutboundMessage) -> tuple[str, str]:
    """Return what the mail says of files that it does not hold, as text and as HTML."""
    rows = FileLink.objects.filter(message=message, is_withheld=False)
    links = list(rows.select_related("attachment"))
    if not links:
        return "", ""
    lines, items = [], []
    for link in links:
        name, url = link.attachment.name, file_links.url_of(link)
        lines.append(f"- {name}: {url}")
        items.append(format_html('<li><a href="{}">{}</a></li>', url, name))
    told = _("Too large for this mail. The links work until %(day)s:") % {
        "day": f"{min(link.expires_at for link in links):%Y-%m-%d}"
    }
    return (
        "\n\n" + told + "\n" + "\n".join(lines),
        f"\n<p>{escape(told)}</p>\n<ul>{''.join(items)}</ul>",
    )
