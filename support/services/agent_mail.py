"""Mail of agents: answers to notices, and customers' mail that they forward."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.translation import gettext as _

from support.mail_bodies import REPLY_MARK
from support.mail_forwards import Forwarded, read_forward
from support.mail_headers import plain_address
from support.mail_parsing import IncomingMail, MailAttachment, UnparsableMail, parse_mail
from support.mail_threading import FORWARD
from support.models import InboundReference, Reply, Ticket
from support.services.agent_addresses import SignedReplyAddress, answer_of
from support.services.agent_notices import may_see
from support.services.attachments import attach_mailed
from support.services.mail_places import account_of, own_addresses
from support.services.participants import is_ours
from support.services.replies import add_system_note, reply_as_staff
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.files import sniff
from systemadmin.models import User

DMARC_FAILED = re.compile(r"\bdmarc\s*=\s*fail", re.IGNORECASE)


@dataclass(frozen=True)
class AgentMailResult:
    """What became of an agent's mail, and which of its files were left out."""

    reply: Reply
    left: tuple[str, ...] = ()


def agent_of_mail(mail: IncomingMail) -> User | None:
    """Return the agent whose address a mail comes from, if nothing speaks against it."""
    sender = account_of(mail.sender)
    if sender is None or not sender.is_acting_staff or not sender.has_perm("support.reply_ticket"):
        return None
    return None if DMARC_FAILED.search(mail.headers.get("authentication-results", "")) else sender


def take_answer(mail: IncomingMail) -> AgentMailResult | None:
    """Answer a ticket as the agent whose notice this mail answers.

    Proof is the address, signed for one agent and one ticket, and the agent's own sender address.
    What cannot be told from the quoted notice, or is refused, becomes a note. None where the mail
    is no such answer.
    """
    named = answer_of(mail.recipients)
    agent = agent_of_mail(mail) if named else None
    if named is None or agent is None or agent.pk != named.agent:
        return None
    if not setting("support.answers_by_mail"):
        return None
    ticket = Ticket.objects.filter(pk=named.ticket).select_related("merged_into").first()
    ticket = (ticket.merged_into or ticket) if ticket else None
    if ticket is None or not may_see(agent, ticket):
        return None
    return _answer(mail, agent, ticket, named)


def _answer(
    mail: IncomingMail, agent: User, ticket: Ticket, named: SignedReplyAddress
) -> AgentMailResult:
    body = mail.text.strip()
    # Without our mark the notice was not quoted; where it stands in what is left, it was not cut.
    is_clear = bool(body) and REPLY_MARK not in body
    uploads, left = _uploads(mail.attachments)
    try:
        if not is_clear:
            raise _Unclear
        reply = reply_as_staff(
            actor=agent,
            ticket=ticket,
            body=body,
            internal=named.is_note,
            attachments=uploads,
            source=Reply.Source.EMAIL,
        )
    except (DomainError, _Unclear) as refusal:
        told = _("This answer by mail was not sent to the customer.")
        reason = str(refusal) if isinstance(refusal, DomainError) else ""
        reply = add_system_note(
            ticket=ticket,
            author_name=agent.get_username(),
            body=f"**{told}** {reason}\n\n{body}".strip()[:50_000],
            original_text=mail.full_text,
        )
        return AgentMailResult(reply, tuple(file.name for file in mail.attachments))
    return AgentMailResult(reply, tuple(left))


class _Unclear(Exception):
    """The agent's own words cannot be separated from what they quote."""


def _uploads(files: Sequence[MailAttachment]) -> tuple[list[SimpleUploadedFile], list[str]]:
    """Return files of a mail for an answer, and the names of those an answer may not have."""
    most, limit = setting("support.max_attachments"), setting("support.max_attachment_mb") << 20
    uploads: list[SimpleUploadedFile] = []
    left = []
    for file in files:
        kind = sniff(ContentFile(file.content, name=file.name)) if file.content else None
        if kind is None or len(file.content) > limit or len(uploads) >= most:
            left.append(file.name)
        else:
            uploads.append(SimpleUploadedFile(file.name, file.content))
    return uploads, left


def take_forward(
    mail: IncomingMail, open_for: Callable[[IncomingMail], Reply]
) -> AgentMailResult | None:
    """Open the ticket of the customer whose mail an agent forwards; None where it is no forward.

    `open_for` opens a ticket for a mail. The customer's words become the first message; what the
    agent wrote above them, and all of the mail as it came, become a note for colleagues.
    """
    agent = agent_of_mail(mail)
    inner = _forwarded_file(mail) if agent else None
    found = _as_forwarded(inner, mail) if inner else read_forward(mail.subject, mail.text)
    if agent is None or found is None or not _is_customer(found, agent):
        return None
    reply = open_for(_as_customers_mail(mail, found, inner))
    told = _("Forwarded by %(agent)s.") % {"agent": agent.get_username()}
    add_system_note(
        ticket=reply.ticket,
        author_name=agent.get_username(),
        body=f"{told}\n\n{found.above}".strip()[:50_000],
        original_text=mail.full_text,
    )
    if inner is None:
        return AgentMailResult(reply, tuple(attach_mailed(reply, mail.attachments)))
    if inner.message_id:
        InboundReference.objects.get_or_create(
            message_id=inner.message_id[:500], ticket=reply.ticket
        )
    return AgentMailResult(
        reply, tuple(attach_mailed(reply, [*inner.attachments, *mail.attachments]))
    )


def _as_customers_mail(
    mail: IncomingMail, found: Forwarded, inner: IncomingMail | None
) -> IncomingMail:
    """Return the forwarding mail with the author, the subject and the words of what it forwards."""
    return replace(
        mail,
        sender=found.address,
        sender_name=found.name,
        subject=found.subject or mail.subject,
        text=found.text,
        full_text=inner.full_text if inner else found.text,
        html="",
        reply_to="",
        reply_to_name="",
        participants=(),
    )


def _forwarded_file(mail: IncomingMail) -> IncomingMail | None:
    """Return the mail that another one forwards as a file; None where that is not certain."""
    mails = [file for file in mail.attachments if file.content_type == "message/rfc822"]
    if len(mails) != 1:
        return None
    try:
        inner = parse_mail(mails[0].content, own=own_addresses())
    except UnparsableMail:
        return None
    is_forward = FORWARD.match(mail.subject) or mail.subject in ("", inner.subject)
    is_of_person = inner.sender and inner.kind in ("message", "generated")
    return inner if is_forward and is_of_person else None


def _as_forwarded(inner: IncomingMail, mail: IncomingMail) -> Forwarded:
    above = "" if inner.full_text in mail.text else mail.text
    text = inner.text or inner.full_text
    return Forwarded(inner.sender, inner.sender_name, inner.subject, text, above)


def _is_customer(found: Forwarded, agent: User) -> bool:
    is_agent = plain_address(found.address) == plain_address(agent.email)
    return not is_agent and not is_ours(found.address)
