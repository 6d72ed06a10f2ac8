"""The messaging desk in the admin; message texts show only where a report gives the reason."""

from messaging.admin.broadcasts import BroadcastAdmin
from messaging.admin.counters import BlockAdmin, ConversationAdmin, MailboxAdmin
from messaging.admin.reports import MessageReportAdmin

__all__ = [
    "BlockAdmin",
    "BroadcastAdmin",
    "ConversationAdmin",
    "MailboxAdmin",
    "MessageReportAdmin",
]
