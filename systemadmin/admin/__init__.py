"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import (
    alerts,
    audit,
    backups,
    blocked_networks,
    maintenance,
    queue,
    roles,
    users,
)

__all__ = [
    "alerts",
    "audit",
    "backups",
    "blocked_networks",
    "maintenance",
    "queue",
    "roles",
    "users",
]
