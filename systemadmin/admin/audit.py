"""The audit trail in the admin: to look at only."""

from django.contrib import admin

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(AtalayaModelAdmin):
    """Who did what, from where."""

    list_display = ["occurred_at", "action", "actor_name", "actor_role", "target_name", "ip"]
    list_filter = ["actor_role", "source"]
    search_fields = ["action__istartswith", "actor_name__istartswith", "target_id"]
    date_hierarchy = None
