"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import alerts, audit, maintenance, users

__all__ = ["alerts", "audit", "maintenance", "users"]
