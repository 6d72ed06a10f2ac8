"""Everything the desk keeps; one file per aggregate."""

from support.models.faqs import Faq, FaqVote
from support.models.mail import InboundMessage, InboundReference, Mailbox, OutboundMessage
from support.models.people import AgentState, TicketParticipant, TicketPresence, TicketRating
from support.models.policies import BusinessCalendar, SlaBreach, SlaPolicy, SlaPolicyVersion
from support.models.replies import Attachment, Reply, ReplyRevision
from support.models.templates import Macro, ReplyTemplate
from support.models.tickets import (
    Category,
    Priority,
    Status,
    Tag,
    Ticket,
    TicketCounter,
    TicketEvent,
    TicketLink,
    TicketSearch,
)

__all__ = [
    "AgentState",
    "Attachment",
    "BusinessCalendar",
    "Category",
    "Faq",
    "FaqVote",
    "InboundMessage",
    "InboundReference",
    "Macro",
    "Mailbox",
    "OutboundMessage",
    "Priority",
    "Reply",
    "ReplyRevision",
    "ReplyTemplate",
    "SlaBreach",
    "SlaPolicy",
    "SlaPolicyVersion",
    "Status",
    "Tag",
    "Ticket",
    "TicketCounter",
    "TicketEvent",
    "TicketLink",
    "TicketParticipant",
    "TicketPresence",
    "TicketRating",
    "TicketSearch",
]
