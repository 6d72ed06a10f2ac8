"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import alerts, audit, backups, maintenance, users

__all__ = ["alerts", "audit", "backups", "maintenance", "users"]
