"""What the rows of the audit trail are about, as people read it, by the middle of the action."""

from django.utils.translation import pgettext_lazy

THINGS = [
    ("support.agent_state", pgettext_lazy("audited", "State of an agent")),
    ("support.calendar", pgettext_lazy("audited", "Calendar")),
    ("support.category", pgettext_lazy("audited", "Category")),
    ("support.faq", pgettext_lazy("audited", "Question and answer")),
    ("support.macro", pgettext_lazy("audited", "Macro")),
    ("support.mail", pgettext_lazy("audited", "Mail")),
    ("support.mailbox", pgettext_lazy("audited", "Mailbox")),
    ("support.policy", pgettext_lazy("audited", "Service policy")),
    ("support.reply", pgettext_lazy("audited", "Reply")),
    ("support.template", pgettext_lazy("audited", "Reply template")),
    ("support.ticket", pgettext_lazy("audited", "Ticket")),
    ("support.view", pgettext_lazy("audited", "Saved view")),
    ("support.tag", pgettext_lazy("audited", "Tag")),
    ("support.file_link", pgettext_lazy("audited", "Link to a file")),
    ("support.notices", pgettext_lazy("audited", "Notices to an agent")),
    ("support.sender", pgettext_lazy("audited", "Sender")),
    ("support.time_zone", pgettext_lazy("audited", "Time zone")),
]
