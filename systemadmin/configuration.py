"""Settings of the base app that staff may change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.configuration import Setting
from systemadmin.foundation.retention import days_setting
from systemadmin.foundation.setting_values import check_networks

BACKUP_SETTINGS = [
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
        default=7,
        min=1,
        max=30,
        description=_("Days for which the export of an account can be downloaded."),
    ),
    Setting(
        key="ratelimit.backup",
        type="rate",
        default="6/h",
        description=_("Backups and verifications a user may ask for."),
    ),
    Setting(
        key="ratelimit.restore",
        type="rate",
        default="3/h",
        description=_("Restores a user may ask for."),
    ),
    Setting(
        key="backups.enabled",
        type=bool,
        default=True,
        description=_("Make backups by the clock."),
    ),
    Setting(
        key="backups.hour",
        type=int,
        default=2,
        min=0,
        max=23,
        description=_("Hour of the day (UTC) at which backups begin."),
    ),
    Setting(
        key="backups.every_hours",
        type=int,
        default=24,
        min=1,
        max=168,
        description=_("Hours from one scheduled backup to the next."),
    ),
    Setting(
        key="backups.grace_hours",
        type=int,
        default=2,
        min=1,
        max=48,
        description=_("Hours after which a missing scheduled backup is reported as late."),
    ),
    Setting(
        key="backups.with_media",
        type=bool,
        default=True,
        description=_("Put uploaded files into the backups."),
    ),
    Setting(
        key="backups.keep_days",
        type=int,
        default=7,
        min=1,
        max=3650,
        description=_("Days for which every backup is kept."),
    ),
    Setting(
        key="backups.keep_weeks",
        type=int,
        default=0,
        min=0,
        max=520,
        description=_("Weeks of which the newest backup is kept."),
    ),
    Setting(
        key="backups.keep_months",
        type=int,
        default=0,
        min=0,
        max=240,
        description=_("Months of which the newest backup is kept."),
    ),
    Setting(
        key="backups.keep_at_least",
        type=int,
        default=1,
        min=1,
        max=100,
        description=_("Complete backups that are kept however old they are."),
    ),
    Setting(
        key="backups.verify_every_days",
        type=int,
        default=7,
        min=0,
        max=365,
        description=_("Days between verifications by a trial restore; 0 for none."),
    ),
    Setting(
        key="backups.keep_replaced_days",
        type=int,
        default=2,
        min=0,
        max=90,
        description=_("Days for which the database replaced by a restore is kept (PostgreSQL)."),
    ),
    Setting(
        key="backups.drain_seconds",
        type=int,
        default=10,
        min=0,
        max=600,
        description=_("Seconds a restore waits for work in progress before it ends it."),
    ),
]

RETENTION_SETTINGS = [
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
        default=10,
        min=0,
        max=600,
        description=_("Seconds that a new alert waits for others to be told with it."),
    ),
    Setting(
        key="alerts.repeat_minutes",
        type=int,
        default=240,
        min=5,
        max=10080,
        description=_("Minutes after which an alert nobody acknowledged is told again."),
    ),
    Setting(
        key="alerts.quiet_from",
        type=int,
        default=0,
        min=0,
        max=23,
        description=_("Hour (UTC) from which only critical alerts are told."),
    ),
    Setting(
        key="alerts.quiet_until",
        type=int,
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
        default=6,
        min=1,
        max=24,
        description=_("Hours after which the head of the audit trail is stored outside again."),
    ),
    Setting(
        key="audit.head_to_channels",
        type=bool,
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
        key="ratelimit.login",
        type="rate",
        default="5/m",
        description=_("Sign-in attempts from one address."),
    ),
    Setting(
        key="ratelimit.second_factor",
        type="rate",
        default="10/m",
        description=_("Codes of the second factor from one account or address."),
    ),
    Setting(
        key="ratelimit.lookup",
        type="rate",
        default="30/h",
        description=_("Whole e-mail addresses that staff who see them masked may look up."),
    ),
    *BACKUP_SETTINGS,
    *RETENTION_SETTINGS,
    *DUTY_SETTINGS,
]
