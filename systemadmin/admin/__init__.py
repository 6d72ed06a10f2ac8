"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import (
    alerts,
    audit,
    backups,
    batches,
    blocked_networks,
    legal_holds,
    maintenance,
    queue,
    roles,
    users,
)

__all__ = [
    "alerts",
    "audit",
    "backups",
    "batches",
    "blocked_networks",
    "legal_holds",
    "maintenance",
    "queue",
    "roles",
    "users",
]
