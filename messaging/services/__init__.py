"""Every write of the messaging desk; one file per aggregate."""

from messaging.services.acquaintances import acquaintances_in, people
from messaging.services.broadcasts import (
    cancel_broadcast,
    create_broadcast,
    edit_broadcast,
    preview_broadcast,
    read_statistics,
    schedule_broadcast,
    send_broadcast,
)
from messaging.services.delivery import deliver_broadcast, deliver_chunk, start_due_broadcasts
from messaging.services.editing import edit_message
from messaging.services.erasing import (
    due_released,
    erase_member,
    erase_message,
    erase_released,
    request_erasure,
)
from messaging.services.exports import export_messages
from messaging.services.muting import set_muted
from messaging.services.notices import send_due_notices
from messaging.services.preferences import change_preferences, preferences_of
from messaging.services.reading import (
    hide_message,
    mark_unread,
    message_of,
    read_up_to,
    unread_total,
)
from messaging.services.reports import disclose_conversation, dismiss_report, uphold_report
from messaging.services.retention import (
    due_messages,
    due_stream_events,
    expire_messages,
    prune_stream,
)
from messaging.services.risk import report_failed_messages, report_sent_messages
from messaging.services.safety import block_member, report_message, unblock_member
from messaging.services.search import search_own
from messaging.services.sending import Sent, recipient_of, send_message, send_system_message
from messaging.services.unsending import unsend_message

__all__ = [
    "Sent",
    "acquaintances_in",
    "block_member",
    "cancel_broadcast",
    "change_preferences",
    "create_broadcast",
    "deliver_broadcast",
    "deliver_chunk",
    "disclose_conversation",
    "dismiss_report",
    "due_messages",
    "due_released",
    "due_stream_events",
    "edit_broadcast",
    "edit_message",
    "erase_member",
    "erase_message",
    "erase_released",
    "expire_messages",
    "export_messages",
    "hide_message",
    "mark_unread",
    "message_of",
    "people",
    "preferences_of",
    "preview_broadcast",
    "prune_stream",
    "read_statistics",
    "read_up_to",
    "recipient_of",
    "report_failed_messages",
    "report_message",
    "report_sent_messages",
    "request_erasure",
    "schedule_broadcast",
    "search_own",
    "send_broadcast",
    "send_due_notices",
    "send_message",
    "send_system_message",
    "set_muted",
    "start_due_broadcasts",
    "unblock_member",
    "unread_total",
    "unsend_message",
    "uphold_report",
]
