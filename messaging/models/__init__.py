"""What the messaging desk keeps, one file per aggregate."""

from messaging.models.broadcasts import Broadcast, BroadcastKind, BroadcastStatus
from messaging.models.conversations import Conversation, Mailbox, Participant, Preferences
from messaging.models.messages import Attachment, Message, MessageKind, MessageRevision
from messaging.models.safety import Block, MessageReport, ReportReason, ReportStatus
from messaging.models.stream import StreamEvent, StreamKind, Watermark

__all__ = [
    "Attachment",
    "Block",
    "Broadcast",
    "BroadcastKind",
    "BroadcastStatus",
    "Conversation",
    "Mailbox",
    "Message",
    "MessageKind",
    "MessageReport",
    "MessageRevision",
    "Participant",
    "Preferences",
    "ReportReason",
    "ReportStatus",
    "StreamEvent",
    "StreamKind",
    "Watermark",
]
