"""Settings of the base app that staff may change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.sockets import Setting

SETTINGS = [
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
        min=30,
        max=3650,
        description=_("Days that the audit trail is kept."),
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
]
