"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import (
    alerts,
    approvals,
    audit,
    backups,
    batches,
    blocked_networks,
    legal_holds,
    maintenance,
    published_events,
    queue,
    roles,
    service_keys,
    staff_identities,
    users,
    webhooks,
)

__all__ = [
    "alerts",
    "approvals",
    "audit",
    "backups",
    "batches",
    "blocked_networks",
    "legal_holds",
    "maintenance",
    "published_events",
    "queue",
    "roles",
    "service_keys",
    "staff_identities",
    "users",
    "webhooks",
]
