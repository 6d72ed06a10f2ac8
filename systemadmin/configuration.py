"""Settings of the base app that staff may change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.backups.settings import BACKUP_SETTINGS
from systemadmin.foundation.configuration import Setting
from systemadmin.foundation.retention import days_setting
from systemadmin.foundation.setting_values import check_networks

PROTECTION_SETTINGS = [
    Setting(
        key="blocking.flood_per_minute",
        type=int,
        default=1000,
        min=100,
        max=1000000,
        description=_("Requests a minute above which an address is blocked by itself."),
    ),
    Setting(
        key="blocking.flood_minutes",
        type=int,
        default=60,
        min=1,
        max=10080,
        description=_("Minutes that such a block lasts."),
    ),
    Setting(
        key="blocking.exempt",
        type=list,
        adding_needs_second_person=True,
        default=["127.0.0.0/8", "::1/128"],
        check=check_networks,
        description=_("Networks that are never blocked."),
    ),
    Setting(
        key="sign_in.keep_failures_days",
        type=int,
        default=7,
        min=1,
        max=90,
        description=_("Days for which failed sign-ins are kept, with hashed names."),
    ),
    Setting(
        key="privacy.export_days",
        type=int,
        lowering_needs_second_person=True,
        default=7,
        min=1,
        max=30,
        description=_("Days for which the export of an account can be downloaded."),
    ),
]

RETENTION_SETTINGS = [
    Setting(
        key="webhooks.timeout_seconds",
        type=int,
        default=20,
        min=1,
        max=30,
        description=_("How long a webhook receiver may take to answer."),
    ),
    Setting(
        key="webhooks.private_addresses",
        type=bool,
        raising_needs_second_person=True,
        default=False,
        description=_("Allow webhooks to private and loopback addresses (closed networks only)."),
    ),
    days_setting(
        "retention.webhook_attempt_days",
        default=30,
        least=1,
        description=_("Days after which answers of webhook receivers are deleted; 0 keeps them."),
    ),
    days_setting(
        "retention.published_event_days",
        default=90,
        least=7,
        description=_(
            "Days after which events are deleted from the log, with their deliveries; they cannot "
            "be read or sent again then. 0 keeps them."
        ),
    ),
    days_setting(
        "retention.notice_text_days",
        default=90,
        least=7,
        description=_(
            "Days after which subject, text and address of notices to accounts are emptied; 0 "
            "keeps them as long as the notice."
        ),
    ),
    days_setting(
        "retention.notice_days",
        default=400,
        least=90,
        description=_(
            "Days after which notices to accounts are deleted, with when and how they were sent; 0 "
            "keeps them."
        ),
    ),
    days_setting(
        "retention.alert_days",
        default=365,
        least=30,
        description=_(
            "Days after which resolved alerts, silences that ended and lifted network blocks are "
            "deleted; 0 keeps them."
        ),
    ),
    days_setting(
        "retention.alert_notice_days",
        default=90,
        least=7,
        description=_("Days after which messages to the alert channels are deleted; 0 keeps them."),
    ),
    days_setting(
        "retention.finished_task_days",
        default=7,
        least=1,
        description=_("Days after which records of tasks that went well are deleted."),
        may_be_endless=False,
    ),
    days_setting(
        "retention.failed_task_days",
        default=30,
        least=7,
        description=_("Days after which records of tasks that failed are deleted."),
        may_be_endless=False,
    ),
    days_setting(
        "retention.backup_record_days",
        default=730,
        least=90,
        description=_(
            "Days after which the record of a backup whose files are gone is deleted, with its "
            "verifications; 0 keeps it. The files follow the settings of backups."
        ),
    ),
    days_setting(
        "retention.table_size_days",
        default=400,
        least=60,
        description=_("Days for which the daily sizes of the tables are kept."),
        may_be_endless=False,
    ),
]

DUTY_SETTINGS = [
    Setting(
        key="duties.single_person",
        type=bool,
        default=False,
        raising_needs_second_person=True,
        description=_(
            "This place has one person of staff: acts that need a second person run at once, and "
            "each is marked and reported. Only superusers switch it on, with a reason."
        ),
    ),
    Setting(
        key="duties.request_hours",
        type=int,
        raising_needs_second_person=True,
        default=72,
        min=1,
        max=720,
        description=_("Hours after which a request for a second person expires."),
    ),
    Setting(
        key="duties.new_colleague_hours",
        type=int,
        default=24,
        min=0,
        max=720,
        lowering_needs_second_person=True,
        description=_(
            "Hours for which a colleague whose account or rights somebody made does not approve "
            "what that person asks for."
        ),
    ),
    Setting(
        key="duties.new_address_days",
        type=int,
        default=14,
        min=1,
        max=365,
        lowering_needs_second_person=True,
        description=_(
            "Days for which a changed e-mail address counts as new: a one-time link goes there "
            "only when whoever approves says in words how the owner was asked."
        ),
    ),
    Setting(
        key="duties.second_person_silence_hours",
        type=int,
        default=24,
        min=0,
        max=720,
        raising_needs_second_person=True,
        description=_("Hours from which silencing an alert needs a second person; 0 for always."),
    ),
]

SETTINGS = [
    Setting(
        key="alerts.group_wait_seconds",
        type=int,
        raising_needs_second_person=True,
        default=10,
        min=0,
        max=600,
        description=_("Seconds that a new alert waits for others to be told with it."),
    ),
    Setting(
        key="alerts.repeat_minutes",
        type=int,
        raising_needs_second_person=True,
        default=240,
        min=5,
        max=10080,
        description=_("Minutes after which an alert nobody acknowledged is told again."),
    ),
    Setting(
        key="alerts.quiet_from",
        type=int,
        changing_needs_second_person=True,
        default=0,
        min=0,
        max=23,
        description=_("Hour (UTC) from which only critical alerts are told."),
    ),
    Setting(
        key="alerts.quiet_until",
        type=int,
        changing_needs_second_person=True,
        default=0,
        min=0,
        max=23,
        description=_("Hour (UTC) at which quiet hours end; equal hours mean none."),
    ),
    Setting(
        key="maintenance.longest_hours",
        type=int,
        default=12,
        min=1,
        max=168,
        description=_("Hours after which maintenance ends by itself when no end was given."),
    ),
    Setting(
        key="maintenance.banner_hours",
        type=int,
        default=24,
        min=0,
        max=168,
        description=_("Hours before a scheduled window that its banner is shown."),
    ),
    Setting(
        key="audit.retention_days",
        type=int,
        default=730,
        min=365,
        max=3650,
        description=_(
            "Days that the audit trail is kept; never less than a year. All superusers are told "
            "when it is lowered."
        ),
    ),
    Setting(
        key="audit.head_hours",
        type=int,
        raising_needs_second_person=True,
        default=6,
        min=1,
        max=24,
        description=_("Hours after which the head of the audit trail is stored outside again."),
    ),
    Setting(
        key="audit.head_to_channels",
        type=bool,
        lowering_needs_second_person=True,
        default=True,
        description=_("Send the head of the audit trail to the alert channels once a day."),
    ),
    Setting(
        key="ratelimit.read",
        type="rate",
        default="100/m",
        description=_("Reads a user or address may make."),
    ),
    Setting(
        key="ratelimit.write",
        type="rate",
        default="30/m",
        description=_("Writes a user or address may make."),
    ),
    Setting(
        key="ratelimit.staff",
        type="rate",
        default="600/m",
        description=_("Pages and forms of the admin that a member of staff may ask for."),
    ),
    Setting(
        key="ratelimit.service",
        type="rate",
        default="1200/m",
        description=_("Calls of one service key that has no rate of its own."),
    ),
    Setting(
        key="ratelimit.login",
        type="rate",
        raising_needs_second_person=True,
        default="5/m",
        description=_("Sign-in attempts from one address."),
    ),
    Setting(
        key="ratelimit.second_factor",
        type="rate",
        raising_needs_second_person=True,
        default="10/m",
        description=_("Codes of the second factor from one account or address."),
    ),
    Setting(
        key="ratelimit.lookup",
        type="rate",
        raising_needs_second_person=True,
        default="30/h",
        description=_("Whole e-mail addresses that staff who see them masked may look up."),
    ),
    *PROTECTION_SETTINGS,
    *BACKUP_SETTINGS,
    *RETENTION_SETTINGS,
    *DUTY_SETTINGS,
]
