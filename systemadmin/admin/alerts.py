"""Alerts in the admin."""

from django.contrib import admin

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.models import Alert


@admin.register(Alert)
class AlertAdmin(AtalayaModelAdmin):
    """What fired, how often, and whether someone took it."""

    list_display = ["summary", "severity", "status", "rule", "count", "last_seen_at"]
    list_filter = ["status", "severity", "rule"]
