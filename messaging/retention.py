"""What this desk keeps: of whom, why, how long."""

from datetime import timedelta

from django.db.models import Q

from messaging import services
from systemadmin.foundation.retention import Job, Rows, Span, Table

MESSAGES = Span(setting="messaging.retention_days")
WITH_MESSAGE = "as long as the message"
WITH_ACCOUNTS = "as long as the accounts"

TABLES = [
    Table(
        model="messaging.Message",
        holds="private messages between members",
        purpose="the conversation itself; reports of abuse",
        owners=["sender", "conversation__lower", "conversation__higher"],
        rules=[
            Job(
                name="messages",
                span=MESSAGES,
                run=lambda _seconds: services.expire_messages(),
                due=services.due_messages,
                says="deleted conversation by conversation; unread counters are counted again",
            )
        ],
    ),
    Table(
        model="messaging.MessageRevision",
        holds="texts before they were edited",
        purpose="reports of abuse",
        owners=["message__sender"],
        kept=WITH_MESSAGE,
        rules=[
            Job(
                name="released_wordings",
                span=Span(fixed=timedelta(0)),
                run=lambda _seconds: services.erase_released(),
                due=services.due_released,
                says="deleted, and the file with it, once the message was erased and no legal hold"
                " of a party keeps it",
            )
        ],
    ),
    Table(
        model="messaging.Attachment",
        holds="files sent with messages",
        purpose="the conversation itself",
        owners=["message__sender"],
        kept=WITH_MESSAGE,
    ),
    Table(
        model="messaging.Conversation",
        holds="which two members write to each other, and since when",
        purpose="the order of messages",
        owners=["lower", "higher"],
        kept=WITH_ACCOUNTS,
    ),
    Table(
        model="messaging.Participant",
        holds="how far each has read, unread counters",
        purpose="the list of conversations",
        owners=["user", "peer"],
        kept=WITH_ACCOUNTS,
    ),
    Table(
        model="messaging.Mailbox",
        holds="unread counter and the moment of the next notice",
        purpose="counting without reading messages",
        owners=["user"],
        kept=WITH_ACCOUNTS,
    ),
    Table(
        model="messaging.Preferences",
        holds="who may write, which notices",
        purpose="the member's own choice",
        owners=["user"],
        kept=WITH_ACCOUNTS,
    ),
    Table(
        model="messaging.Block",
        holds="who blocks whom",
        purpose="the member's own choice",
        owners=["blocker", "blocked"],
        kept="until it is taken back",
    ),
    Table(
        model="messaging.MessageReport",
        holds="reports of messages with excerpts",
        purpose="the team's decision about the reported account",
        owners=["reporter", "reported"],
        rules=[
            Rows(
                name="report_excerpts",
                span=Span(setting="messaging.report_retention_days"),
                moment="handled_at",
                where=~Q(status="open"),
                blank={"excerpt": [], "note": ""},
            )
        ],
        kept="the decision without its texts: as long as the accounts",
    ),
    Table(
        model="messaging.StreamEvent",
        holds="the journal that event streams resume from; no texts",
        purpose="clients resume without a gap",
        owners=["user"],
        rules=[
            Job(
                name="stream_events",
                span=Span(setting="messaging.stream_days"),
                run=lambda _seconds: services.prune_stream(),
                due=services.due_stream_events,
                says="deleted from the oldest on, so that what is left has no gap",
            )
        ],
    ),
    Table(
        model="messaging.Broadcast",
        holds="texts sent to many members",
        purpose="the messages made of it",
        owners=["created_by"],
        kept="for ever: what the platform told its members; a few rows per month",
    ),
    Table(
        model="messaging.Watermark",
        holds="how far messages were reported to the risk engine",
        purpose="reporting once",
        kept="one row",
    ),
]
