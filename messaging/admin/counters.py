"""Who writes with whom and how much: numbers, never words."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from messaging import services
from messaging.models import Block, Conversation, Mailbox
from systemadmin.foundation.admin import AtalayaModelAdmin, form_action
from systemadmin.foundation.caller import caller


class EraseForm(forms.Form):
    """Asks for the reason why a member's messages are erased."""

    reason = forms.CharField(
        label=_("reason"),
        widget=forms.Textarea,
        min_length=10,
        help_text=_("The erasure cannot be undone: no backup is made first."),
    )


@admin.register(Conversation)
class ConversationAdmin(AtalayaModelAdmin):
    """Conversations by their counters."""

    list_display = ["id", "lower", "higher", "last_seq", "last_message_at"]
    list_select_related = ["lower", "higher"]
    search_fields = ["lower__username__istartswith", "higher__username__istartswith"]
    ordering = ["-id"]
    fields = ["lower", "higher", "last_seq", "last_message_at", "created_at"]


@admin.register(Block)
class BlockAdmin(AtalayaModelAdmin):
    """List which members blocked which."""

    list_display = ["id", "blocker", "blocked", "created_at"]
    list_select_related = ["blocker", "blocked"]
    search_fields = ["blocker__username__istartswith", "blocked__username__istartswith"]
    ordering = ["-id"]


@admin.register(Mailbox)
class MailboxAdmin(AtalayaModelAdmin):
    """Members' totals, and the erasure of what a member wrote."""

    list_display = ["user", "unread_count", "position", "notice_due_at", "notified_at"]
    list_select_related = ["user"]
    search_fields = ["user__username__istartswith"]
    ordering = ["-user_id"]
    actions = ["erase"]

    @form_action(
        description=_("Erase all messages of these members"),
        perm="messaging.erase_messages",
        form=EraseForm,
    )
    def erase(self, request: HttpRequest, obj: Mailbox, data: dict[str, Any]) -> None:
        """Queue the erasure of what the member wrote; it may take long and cannot be undone."""
        services.request_erasure(actor=caller(request), user=obj.user, reason=data["reason"])

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the names that the list shows."""
        return super().get_queryset(request).select_related("user")
