"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import alerts, audit, backups, blocked_networks, maintenance, users

__all__ = ["alerts", "audit", "backups", "blocked_networks", "maintenance", "users"]
