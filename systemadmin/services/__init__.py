"""Every write of the base app; one file per aggregate."""

from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.backups import backup_before, backup_since
from systemadmin.services.configuration import change_settings
from systemadmin.services.event_log import publish_event
from systemadmin.services.notifications import notify_user
from systemadmin.services.users import reinstate_user, suspend_user, verify_user, who_suspends

__all__ = [
    "backup_before",
    "backup_since",
    "change_settings",
    "notify_user",
    "publish_event",
    "raise_alert",
    "reinstate_user",
    "resolve_alert",
    "suspend_user",
    "verify_user",
    "who_suspends",
]
