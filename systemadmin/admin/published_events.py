"""The event log in the admin: to look at."""

from django.contrib import admin

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.models import PublishedEvent


@admin.register(PublishedEvent)
class PublishedEventAdmin(AtalayaModelAdmin):
    """What happened, newest first."""

    list_display = ("occurred_at", "kind", "user", "other_user", "sequence", "event_id")
    list_select_related = ("user", "other_user")
    list_filter = ("occurred_at",)
    search_fields = ("event_id__exact", "kind__exact")
    ordering = ("-id",)
    fields = ("event_id", "kind", "occurred_at", "sequence", "user", "other_user", "data")
