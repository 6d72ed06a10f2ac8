"""Admin pages of the base app, one file per aggregate."""

from systemadmin.admin import alerts, audit, users

__all__ = ["alerts", "audit", "users"]
