"""What this desk keeps: of whom, why, how long."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from support.models import InboundMessage, Ticket, TicketRating
from systemadmin.foundation.retention import Elsewhere, Rows, Span, Table

WITH_TICKET = "as long as the ticket"
CONFIGURATION = "until staff delete it"


def _closed_long_ago(cutoff: datetime) -> Q:
    """Return tickets that nobody touched since, with those merged into them gone already.

    A merged ticket is kept as long as the one it was merged into. Until then, mail to the number of
    the merged ticket arrives at the other one.
    """
    merged = Ticket._base_manager.filter(merged_into=OuterRef("pk"))
    rated = TicketRating.objects.filter(ticket=OuterRef("pk"), rated_at__gte=cutoff)
    return (
        Q(status="closed", updated_at__lt=cutoff)
        & (Q(merged_into__isnull=True) | Q(merged_into__closed_at__lt=cutoff))
        & ~Q(Exists(merged))
        & ~Q(Exists(rated))
    )


def _delete_mail(keys: Sequence[int]) -> None:
    """Delete what the tickets were made from: without its ticket a mail would be nobody's."""
    InboundMessage.objects.filter(ticket__in=keys).only("pk").delete()


TICKETS = [
    Table(
        model="support.Ticket",
        holds="what a person asked, their name and e-mail address",
        purpose="answering; what was promised; figures of the desk",
        owners=["requester", "replies__author"],
        rules=[
            Rows(
                name="tickets",
                span=Span(setting="retention.closed_ticket_days"),
                moment="closed_at",
                where=_closed_long_ago,
                before=_delete_mail,
                files=["support.Attachment.file"],
                needs_backup=True,
            )
        ],
        kept="while it is open",
    ),
    Table(
        model="support.Reply",
        holds="replies and internal notes",
        purpose="the conversation of the ticket",
        owners=["author", "ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.ReplyRevision",
        holds="texts before they were edited",
        purpose="what was said before",
        owners=["reply__author", "reply__ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.Attachment",
        holds="files of replies",
        purpose="the conversation of the ticket",
        owners=["reply__author", "reply__ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketEvent",
        holds="the history of a ticket",
        purpose="clocks of service policies; who did what",
        owners=["actor", "ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketSearchPart",
        holds="further words of a long ticket, folded",
        purpose="search",
        owners=["ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketSearch",
        holds="words of a ticket, folded",
        purpose="search",
        owners=["ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketParticipant",
        holds="names and addresses of others on a ticket",
        purpose="whose mail belongs to it",
        owners=["ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.FileLink",
        holds="files that went to customers as links, and how often each was fetched",
        purpose="ending a link; knowing that a file arrived",
        owners=["revoked_by", "message__ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketRating",
        holds="scores and comments",
        purpose="figures of the desk",
        owners=["ticket__requester"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketLink",
        holds="tickets about the same matter",
        purpose="finding them",
        kept="as long as both tickets",
    ),
    Table(
        model="support.Ticket_tags",
        holds="tags of tickets",
        purpose="finding them",
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketPresence",
        holds="which agent has a ticket open",
        purpose="two agents do not answer at once",
        owners=["user"],
        rules=[
            Elsewhere(
                name="ticket_presence",
                span=Span(fixed=timedelta(minutes=10)),
                schedule="support.close_resolved",
                says="deleted every hour",
            )
        ],
    ),
    Table(
        model="support.ReplyDraft",
        holds="texts that agents typed and did not send",
        purpose="nothing typed is lost",
        owners=["user", "ticket__requester"],
        rules=[
            Rows(
                name="reply_drafts",
                span=Span(fixed=timedelta(days=90)),
                moment="updated_at",
            )
        ],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.TicketRead",
        holds="how far an agent has read a ticket",
        purpose="showing what is unread",
        owners=["user"],
        rules=[
            Rows(
                name="ticket_readings",
                span=Span(fixed=timedelta(days=90)),
                moment="read_at",
            )
        ],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.SlaBreach",
        holds="missed service targets",
        purpose="escalation once; figures of the desk",
        owners=["assignee"],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.InboundReference",
        holds="message ids of a ticket's mail",
        purpose="which ticket an answer belongs to",
        kept=WITH_TICKET,
    ),
]

MAIL = [
    Table(
        model="support.InboundMessage",
        holds="mail as it came, with sender and subject",
        purpose="reading it again when it was read wrongly; the same mail opens one ticket",
        owners=["ticket__requester"],
        rules=[
            Rows(
                name="raw_mail",
                span=Span(setting="retention.raw_mail_days"),
                moment="ticket__closed_at",
                where=Q(ticket__status="closed"),
                blank={"raw": b""},
                needs_backup=True,
            ),
            Rows(
                name="unticketed_mail",
                span=Span(setting="retention.unticketed_mail_days"),
                moment="created_at",
                where=Q(ticket__isnull=True, status__in=["processed", "ignored", "duplicate"]),
            ),
            Rows(
                name="unreadable_mail",
                span=Span(setting="retention.unreadable_mail_days"),
                moment="created_at",
                where=Q(ticket__isnull=True, status="failed"),
                needs_backup=True,
            ),
        ],
        kept="sender, subject and message id: as long as the ticket",
    ),
    Table(
        model="support.OutboundMessage",
        holds="mail to customers",
        purpose="sending once; recognising answers and returned mail",
        owners=["ticket__requester"],
        rules=[
            Rows(
                name="outgoing_mail_texts",
                span=Span(setting="retention.outgoing_mail_days"),
                moment="created_at",
                # What was given up or came back can still be sent again by staff.
                where=Q(status__in=["sent", "skipped"]),
                blank={"text": "", "html": "", "subject": ""},
            )
        ],
        kept="recipient, message id and when it was sent: as long as the ticket",
    ),
    Table(
        model="support.Mailbox",
        holds="addresses of the desk with encrypted passwords",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
]

DESK = [
    Table(
        model="support.Category",
        holds="categories of tickets",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="support.Category_agents",
        holds="who takes tickets of a category",
        purpose="configuration",
        owners=["user"],
        kept=CONFIGURATION,
    ),
    Table(
        model="support.Category_readers",
        holds="who reads tickets of a confined category",
        purpose="configuration",
        owners=["user"],
        kept=CONFIGURATION,
    ),
    Table(
        model="support.Mailbox_readers",
        holds="who reads tickets of a confined mailbox",
        purpose="configuration",
        owners=["user"],
        kept=CONFIGURATION,
    ),
    Table(
        model="support.NoticePreference",
        holds="how an agent hears of what happens",
        purpose="telling agents",
        owners=["user"],
        kept="as long as the account",
    ),
    Table(
        model="support.AgentNotice",
        holds="what an agent was told of a ticket",
        purpose="telling agents, once",
        owners=["user", "ticket__requester"],
        rules=[
            Rows(
                name="agent_notices",
                span=Span(fixed=timedelta(days=60)),
                moment="created_at",
            )
        ],
        kept=WITH_TICKET,
    ),
    Table(
        model="support.BlockedSender",
        holds="addresses whose mail opens no ticket",
        purpose="keeping unwanted mail out",
        owners=["created_by", "ticket__requester"],
        kept=CONFIGURATION,
    ),
    Table(
        model="support.SavedView",
        holds="lists of tickets that agents come back to",
        purpose="an agent's way through the work",
        owners=["owner"],
        kept="as long as the account",
    ),
    Table(model="support.Tag", holds="tags", purpose="filing", kept=CONFIGURATION),
    Table(
        model="support.TicketCounter",
        holds="the last ticket number of each year",
        purpose="no number is given twice",
        kept="for ever: one row per year",
    ),
    Table(
        model="support.AgentState",
        holds="availability of agents",
        purpose="assignment",
        owners=["user"],
        kept="as long as the account",
    ),
    Table(
        model="support.BusinessCalendar",
        holds="working hours",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="support.SlaPolicy",
        holds="service policies",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(
        model="support.SlaPolicyVersion",
        holds="what a policy promised at a time",
        purpose="old tickets stay explained",
        kept="as long as the policy",
    ),
    Table(
        model="support.ReplyTemplate",
        holds="templates of replies",
        purpose="configuration",
        kept=CONFIGURATION,
    ),
    Table(model="support.Macro", holds="macros", purpose="configuration", kept=CONFIGURATION),
    Table(
        model="support.Faq",
        holds="frequent questions, with numbers of votes",
        purpose="help",
        kept=CONFIGURATION,
    ),
    Table(
        model="support.FaqVote",
        holds="which account found an answer helpful",
        purpose="one vote per account",
        owners=["user"],
        kept="as long as the account and the question",
    ),
]

TABLES = [*TICKETS, *MAIL, *DESK]
