"""Bounces, complaints and automatic answers: noted on the ticket they are about."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from support.mail_headers import ADDRESS
from support.mail_parsing import IncomingMail
from support.models import InboundMessage, InboundReference, OutboundMessage, Ticket
from support.services import agent_notices, mail_out
from support.services.mail_places import ticket_of_address
from support.services.replies import add_system_note
from systemadmin.foundation.readable_text import visible_text
from systemadmin.services import raise_alert

AUTOMATIC = frozenset(["bounce", "auto_reply", "complaint"])
SHOWN = 2_000


def note_automatic(message: InboundMessage, mail: IncomingMail) -> Ticket | None:
    """Leave staff a note on the ticket that an automatic mail is about; None if there is none.

    It moves no status and no clock. An answer that failed is marked and its agent is notified.
    """
    answers = list(
        OutboundMessage.objects.filter(
            message_id__in=[*mail.failed_message_ids, *mail.references]
        ).select_related("ticket__merged_into", "ticket__assignee", "reply__author")
    )
    ticket = _ticket_of(mail, answers)
    if ticket is None:
        return None
    text = visible_text(mail.text[:SHOWN]) or _("(no text)")
    message.reply = add_system_note(
        ticket=ticket,
        body=f"**{_heading(mail)}**\n\n{text}",
        original_text=mail.full_text if len(mail.full_text.strip()) > len(text) else "",
    )
    if mail.is_failure:
        _mark_bounced(answers, mail)
    if mail.is_failure or mail.kind == "complaint":
        people = [ticket.assignee, *(answer.reply.author for answer in answers if answer.reply)]
        key = str(message.pk)
        agent_notices.notify("bounced", ticket, people, key=key, reply=message.reply)
    return ticket


def _heading(mail: IncomingMail) -> str:
    if mail.kind == "complaint":
        return _("The recipient's mail provider reports our mail as unwanted")
    if mail.kind == "auto_reply":
        return _("Automatic answer received")
    return _("Our mail bounced") if mail.is_failure else _("Report on the delivery of our mail")


def _ticket_of(mail: IncomingMail, answers: list[OutboundMessage]) -> Ticket | None:
    """By the id of a mail of ours, by a reply address of ours, or by a mail of the ticket."""
    if answers:
        return answers[0].ticket.merged_into or answers[0].ticket
    quoted = [match[0] for match in ADDRESS.finditer(mail.full_text[:200_000])][:50]
    tagged = ticket_of_address([*mail.recipients, *quoted])
    if tagged is not None:
        return tagged
    known = InboundReference.objects.filter(
        message_id__in=[*mail.failed_message_ids, *mail.references], is_mention=False
    )
    row = known.select_related("ticket__merged_into").order_by("-pk").first()
    return (row.ticket.merged_into or row.ticket) if row else None


def _mark_bounced(answers: list[OutboundMessage], mail: IncomingMail) -> None:
    for answer in answers:
        OutboundMessage.objects.filter(pk=answer.pk).update(
            status=OutboundMessage.Status.BOUNCED, last_error=mail.subject
        )
        raise_alert(
            rule=mail_out.BOUNCE_RULE,
            severity="warning",
            summary=gettext_noop("%(ticket)s: mail to the customer came back"),
            facts={"ticket": answer.ticket.number},
            detail="" if answer.ticket.is_confined else mail.subject,
            key=str(answer.pk),
        )
