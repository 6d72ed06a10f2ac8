"""What stands below an answer: the signature of its mailbox, and what was said before."""

from django.utils.translation import gettext as _
from django.utils.translation import override

from support.models import Mailbox, Reply, Ticket
from systemadmin.foundation.display import display_name

MOST_QUOTED = 5
MAX_QUOTED = 10_000


def signature_of(mailbox: Mailbox | None, reply: Reply) -> str:
    """Return the signature below an answer, in Markdown."""
    if mailbox is None or not mailbox.signature.strip():
        return ""
    author = reply.author
    name = display_name(author) if author else reply.author_name
    return "\n\n-- \n" + mailbox.signature.replace("{{agent}}", name).strip()


def history_for(recipient: str, reply: Reply, ticket: Ticket, mailbox: Mailbox | None) -> str:
    """Return what this recipient was sent or wrote before, newest first, as quotes in Markdown.

    Nobody is quoted what they were not sent: who joined later reads nothing of before.
    """
    if mailbox is None or not mailbox.quotes_history:
        return ""
    earlier = ticket.replies.public().exclude(pk=reply.pk).order_by("-said_at", "-pk")
    if recipient.lower() != ticket.customer_email.lower():
        sent = earlier.filter(outbound__recipient__iexact=recipient)
        earlier = (sent | earlier.filter(inbound__sender__iexact=recipient)).distinct()
    quotes, room = [], MAX_QUOTED
    for row in earlier[:MOST_QUOTED]:
        room -= len(row.body)
        if room < 0:
            break
        quotes.append(_quoted(row, ticket))
    return "".join(quotes)


def _quoted(row: Reply, ticket: Ticket) -> str:
    with override(ticket.language):
        intro = _("On %(moment)s UTC, %(author)s wrote:") % {
            "moment": f"{row.said_at:%Y-%m-%d %H:%M}",
            "author": row.author_name or ticket.customer_name,
        }
    return f"\n\n{intro}\n\n" + "\n".join(f"> {line}" for line in row.body.split("\n"))
