"""Senders whose mail opens no ticket: whose rule it is, why, and the mail that it holds."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from support.admin.people import agent_of
from support.models import BlockedSender
from support.services.mail_in import unblock_and_take
from support.services.spam import block_sender, unblock_sender
from systemadmin.foundation.admin import ServiceModelAdmin, form_action

LOOK, DECIDE = "support.view_inboundmessage", "support.process_inboundmessage"


class UnblockForm(forms.Form):
    """Why; needed where a colleague blocked them."""

    reason = forms.CharField(label=_("Reason"), max_length=300, required=False)


@admin.register(BlockedSender)
class BlockedSenderAdmin(ServiceModelAdmin):
    """Whoever may look at incoming mail may look at the rules; whoever decides on it, sets them."""

    list_display = ("address", "reason", "created_by", "created_at", "ticket_number", "held_mail")
    list_select_related = ("created_by", "ticket")
    readonly_fields = list_display
    actions = ("unblock_and_take_mail", "unblock")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows with the number of mails that each holds."""
        return BlockedSender.objects.with_held()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return address and reason for a new rule, which need no masks; all fields of another."""
        if obj is None:
            return [(None, {"fields": ("address", "reason")})]
        return super().get_fieldsets(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return all of a rule."""
        return self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Make every field read-only: a rule is set and taken back, never changed."""
        return () if obj is None else super().get_readonly_fields(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may see incoming mail."""
        return request.user.has_perm(LOOK)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may see incoming mail."""
        return request.user.has_perm(LOOK)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may decide what becomes of incoming mail."""
        return request.user.has_perm(DECIDE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the action *Unblock* asks for the reason."""
        return False

    def create(self, actor: Any, values: dict[str, Any]) -> BlockedSender:
        """Block an address or a domain."""
        return block_sender(actor=actor, **values)

    @admin.display(description=_("ticket"))
    def ticket_number(self, obj: BlockedSender) -> str:
        """Return the ticket marked as spam with which the block came."""
        return obj.ticket.number if obj.ticket else ""

    @admin.display(description=_("mail held"), ordering="held_count")
    def held_mail(self, obj: Any) -> str:
        """Return how much, and where it is listed."""
        url = reverse("admin:support_inboundmessage_changelist")
        return format_html('<a href="{}?blocked_by={}">{}</a>', url, obj.pk, obj.held_count)

    @form_action(description=_("Unblock"), perm=DECIDE, form=UnblockForm)
    def unblock(self, request: HttpRequest, obj: BlockedSender, data: dict[str, Any]) -> None:
        """Let their mail open tickets again; what was held stays on the list."""
        unblock_sender(actor=agent_of(request), sender=obj, **data)

    @form_action(
        description=_("Unblock, and make tickets of the mail held"), perm=DECIDE, form=UnblockForm
    )
    def unblock_and_take_mail(
        self, request: HttpRequest, obj: BlockedSender, data: dict[str, Any]
    ) -> None:
        """Undo the block and what it did."""
        unblock_and_take(actor=agent_of(request), sender=obj, **data)
