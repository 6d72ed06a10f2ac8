"""What the rows of the audit trail are about, as people read it, by the middle of the action."""

from django.utils.translation import pgettext_lazy

THINGS = [
    ("messaging.broadcast", pgettext_lazy("audited", "Broadcast")),
    ("messaging.conversation", pgettext_lazy("audited", "Conversation")),
    ("messaging.member", pgettext_lazy("audited", "Member")),
    ("messaging.message", pgettext_lazy("audited", "Message")),
    ("messaging.messages", pgettext_lazy("audited", "Messages")),
    ("messaging.report", pgettext_lazy("audited", "Report of a message")),
    ("messaging.system_message", pgettext_lazy("audited", "Message of the place")),
]
