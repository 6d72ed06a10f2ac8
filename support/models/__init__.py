"""Everything the desk keeps; one file per aggregate."""

from support.models.categories import Category, Tag
from support.models.faqs import Faq, FaqVote
from support.models.file_links import FileLink
from support.models.history import TicketEvent
from support.models.mail import InboundMessage, InboundReference, Mailbox, OutboundMessage
from support.models.notices import AgentEvent, AgentNotice, BlockedSender, NoticePreference
from support.models.people import AgentState, TicketParticipant, TicketPresence, TicketRating
from support.models.policies import BusinessCalendar, SlaBreach, SlaPolicy, SlaPolicyVersion
from support.models.replies import Attachment, Reply, ReplyRevision
from support.models.templates import Macro, ReplyTemplate
from support.models.tickets import (
    Priority,
    Status,
    Ticket,
    TicketCounter,
    TicketLink,
    TicketSearch,
    TicketSearchPart,
)
from support.models.work import ReplyDraft, SavedView, TicketRead

__all__ = [
    "AgentEvent",
    "AgentNotice",
    "AgentState",
    "Attachment",
    "BlockedSender",
    "BusinessCalendar",
    "Category",
    "Faq",
    "FaqVote",
    "FileLink",
    "InboundMessage",
    "InboundReference",
    "Macro",
    "Mailbox",
    "NoticePreference",
    "OutboundMessage",
    "Priority",
    "Reply",
    "ReplyDraft",
    "ReplyRevision",
    "ReplyTemplate",
    "SavedView",
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
    "TicketRead",
    "TicketSearch",
    "TicketSearchPart",
]
