"""Mailboxes, mail that came and mail that goes."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from support.admin.people import agent_of
from support.models import InboundMessage, Mailbox, OutboundMessage
from support.services import process_again, retry
from support.services.mailboxes import FIELDS as MAILBOX_FIELDS
from support.services.mailboxes import delete_mailbox, save_mailbox
from systemadmin.foundation.admin import AtalayaModelAdmin, ServiceModelAdmin, service_action


class MailboxForm(forms.ModelForm):
    """The password goes in and never comes out."""

    password = forms.CharField(
        label=_("Password"),
        required=False,
        widget=forms.PasswordInput(render_value=False),
        help_text=_("Leave empty to keep the present one."),
    )

    class Meta:
        model = Mailbox
        fields = [*MAILBOX_FIELDS, "readers"]


@admin.register(Mailbox)
class MailboxAdmin(ServiceModelAdmin):
    """Addresses of the desk."""

    form = MailboxForm
    list_display = ("address", "host", "is_active", "fetched_at", "last_error")
    readonly_fields = ("fetched_at", "last_error")
    autocomplete_fields = ("readers",)

    def create(self, actor: Any, values: dict[str, Any]) -> Mailbox:
        """Add the mailbox by its service."""
        return save_mailbox(actor=actor, values=values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> Mailbox:
        """Change the mailbox by its service."""
        return save_mailbox(actor=actor, mailbox=obj, values=values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete one to which no mail came."""
        delete_mailbox(actor=actor, mailbox=obj)


@admin.register(InboundMessage)
class InboundMessageAdmin(AtalayaModelAdmin):
    """Mail as it came; what could not be read waits here."""

    list_display = ("id", "sender", "subject", "kind", "status", "ticket", "size", "created_at")
    list_filter = ("status", "kind", "mailbox")
    list_select_related = ("ticket",)
    fields = (
        "mailbox",
        "sender",
        "reply_to",
        "subject",
        "kind",
        "status",
        "reason",
        "attempts",
        "ticket",
        "may_belong_to",
        "size",
        "created_at",
        "raw_link",
    )
    readonly_fields = fields
    actions = ("process_again",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows without the bytes, and without confined mail of others."""
        return InboundMessage.objects.light().listed_for(request.user)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields without the link to the bytes for whoever may not read them."""
        names = super().get_fields(request, obj)
        readable = InboundMessage.objects.readable_by(request.user)
        if obj is None or readable.filter(pk=obj.pk).exists():
            return names
        return [name for name in names if name != "raw_link"]

    def get_urls(self) -> list[Any]:
        """And the bytes, as a file."""
        view = self.admin_site.admin_view(self.raw_view)
        own = path("<int:pk>/raw/", view, name="support_inboundmessage_raw")
        return [own, *super().get_urls()]

    def raw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the mail as it came, as a download."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = InboundMessage.objects.readable_by(request.user).filter(pk=pk).first()
        if found is None:
            raise Http404
        response = HttpResponse(bytes(found.raw), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="mail-{found.pk}.eml"'
        return response

    @admin.display(description=_("raw mail"))
    def raw_link(self, obj: InboundMessage) -> str:
        """Return a link to the mail as it was received."""
        url = reverse("admin:support_inboundmessage_raw", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, _("Download"))

    @service_action(description=_("Process again"), perm="support.process_inboundmessage")
    def process_again(self, request: HttpRequest, obj: InboundMessage) -> None:
        """Make a ticket of each."""
        process_again(actor=agent_of(request), message=obj)


@admin.register(OutboundMessage)
class OutboundMessageAdmin(AtalayaModelAdmin):
    """Mail that goes, and the dead letters."""

    list_display = ("id", "recipient", "subject", "kind", "status", "attempts", "sent_at")
    list_filter = ("status", "kind")
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows without confined mail of others."""
        return OutboundMessage.objects.listed_for(request.user)

    @service_action(description=_("Send again"), perm="support.retry_outboundmessage")
    def send_again(self, request: HttpRequest, obj: OutboundMessage) -> None:
        """Another round of attempts for each."""
        retry(actor=agent_of(request), message=obj)
