"""Settings of backups and restores that staff may change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.configuration import Setting

BACKUP_SETTINGS = [
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
        lowering_needs_second_person=True,
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
        raising_needs_second_person=True,
        default=24,
        min=1,
        max=168,
        description=_("Hours from one scheduled backup to the next."),
    ),
    Setting(
        key="backups.grace_hours",
        type=int,
        raising_needs_second_person=True,
        default=2,
        min=1,
        max=48,
        description=_("Hours after which a missing scheduled backup is reported as late."),
    ),
    Setting(
        key="backups.with_media",
        type=bool,
        lowering_needs_second_person=True,
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
        key="backups.pinned_days",
        type=int,
        default=365,
        min=1,
        max=3650,
        description=_(
            "Days after which the status page warns of a pinned backup: it still holds what was "
            "erased since."
        ),
    ),
    Setting(
        key="backups.verify_every_days",
        type=int,
        raising_needs_second_person=True,
        zero_is_endless=True,
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
