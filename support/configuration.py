"""Settings of the desk that staff may change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.configuration import Setting
from systemadmin.foundation.retention import days_setting

SETTINGS = [
    Setting(
        key="support.assignment",
        type="choice",
        choices=("manual", "round_robin", "load"),
        default="manual",
        description=_("Who gets a new ticket: nobody, agents in turn, or the least busy."),
    ),
    Setting(
        key="support.assign_on_reply",
        type=bool,
        default=True,
        description=_("Who first answers a free ticket takes it."),
    ),
    Setting(
        key="support.status_after_reply",
        type="choice",
        choices=("waiting_customer", "in_progress"),
        default="waiting_customer",
        description=_("Status after a public answer that names none."),
    ),
    Setting(
        key="support.auto_close_days",
        type=int,
        default=7,
        min=0,
        max=365,
        description=_("Days after which a resolved ticket is closed; 0 means never."),
    ),
    Setting(
        key="support.reopen_days",
        type=int,
        default=14,
        min=0,
        max=365,
        description=_("Days during which the customer's answer reopens a closed ticket."),
    ),
    Setting(
        key="support.acknowledge",
        type=bool,
        default=True,
        description=_("Confirm every new ticket by mail."),
    ),
    Setting(
        key="support.acknowledgements_per_hour",
        type=int,
        default=5,
        min=0,
        max=100,
        description=_("Most confirmations one address gets in an hour, against loops."),
    ),
    Setting(
        key="support.max_attachments",
        type=int,
        default=10,
        min=0,
        max=50,
        description=_("Most files with one reply."),
    ),
    Setting(
        key="support.max_attachment_mb",
        type=int,
        default=10,
        min=1,
        max=100,
        description=_("Largest file of a reply, in megabytes."),
    ),
    Setting(
        key="support.time_zone",
        type="timezone",
        default="UTC",
        description=_("Whose days the desk's reports show; agents may choose their own."),
    ),
    Setting(
        key="support.notice_minutes",
        type=int,
        default=2,
        min=0,
        max=120,
        description=_(
            "Minutes for which news for an agent is gathered before it goes by mail or Telegram."
        ),
    ),
    Setting(
        key="support.answers_by_mail",
        type=bool,
        default=True,
        description=_("Agents may answer tickets by answering the mail that tells them."),
    ),
    Setting(
        key="support.mail_attachment_mb",
        type=int,
        default=10,
        min=1,
        max=50,
        description=_(
            "Most megabytes of files in one mail to a customer; further files go as links."
        ),
    ),
    Setting(
        key="support.file_link_days",
        type=int,
        lowering_needs_second_person=True,
        default=14,
        min=1,
        max=90,
        description=_("Days for which a link to a file works that was too large for its mail."),
    ),
    Setting(
        key="ratelimit.tickets.open",
        type="rate",
        default="20/h",
        description=_("Tickets one account may open."),
    ),
    days_setting(
        "retention.closed_ticket_days",
        default=1095,
        least=90,
        description=_(
            "Days after which closed tickets are deleted, with replies, files, mail and ratings; 0 "
            "keeps them. Figures of the desk reach back as far."
        ),
    ),
    days_setting(
        "retention.raw_mail_days",
        default=90,
        least=7,
        description=_(
            "Days after a ticket was closed after which the original bytes of its mail are "
            "deleted; 0 keeps them as long as the ticket."
        ),
    ),
    days_setting(
        "retention.unticketed_mail_days",
        default=90,
        least=7,
        description=_(
            "Days after which mail without a ticket is deleted: automatic replies, newsletters "
            "and copies; 0 keeps it."
        ),
    ),
    days_setting(
        "retention.unreadable_mail_days",
        default=365,
        least=30,
        description=_("Days after which mail that could not be read is deleted; 0 keeps it."),
    ),
    days_setting(
        "retention.outgoing_mail_days",
        default=90,
        least=7,
        description=_(
            "Days after which subject and text of mail that was sent are emptied; the reply on the "
            "ticket stays. 0 keeps them as long as the ticket."
        ),
    ),
]
