"""The page a ticket is worked on, and the small addresses it uses."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from support.admin import forms
from support.admin.people import agent_of
from support.markdown import render_page
from support.models import (
    Attachment,
    InboundMessage,
    Reply,
    ReplyTemplate,
    SlaBreach,
    Ticket,
    TicketRating,
)
from support.services import (
    apply_macro,
    join_suggested,
    link_tickets,
    merge_tickets,
    open_ticket,
    presence,
    render_for,
    reply_as_staff,
    split_ticket,
    update_ticket,
)
from systemadmin.foundation import plugins
from systemadmin.foundation.errors import DomainError, NotFound
from systemadmin.foundation.files import private_response
from systemadmin.foundation.parsing import is_whole_number


class TicketPages:
    """Mixed into the admin of tickets: the working page instead of Django's form."""

    page_template = "admin/support/ticket/page.html"
    admin_site: Any
    model: Any
    media: Any
    message_user: Any
    get_queryset: Any

    def page_urls(self) -> list[Any]:
        """Addresses the page uses."""
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/presence/",
                wrap(require_POST(self.presence_view)),
                name="support_ticket_presence",
            ),
            path(
                "<int:pk>/template/<int:template>/",
                wrap(self.template_view),
                name="support_ticket_template",
            ),
            path(
                "<int:pk>/attachment/<int:attachment>/",
                wrap(self.attachment_view),
                name="support_ticket_attachment",
            ),
        ]

    # -- the page ------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may open tickets for members."""
        return request.user.has_perm("support.add_ticket")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Open a ticket for a member."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = forms.NewTicketForm(request.POST or None, http=request)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                ticket = open_ticket(
                    actor=agent_of(request),
                    requester=data.pop("user"),
                    channel=Ticket.Channel.STAFF,
                    **data,
                )
            except DomainError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                return HttpResponseRedirect(_page_of(ticket))
        context = self._context(request, title=_("Open a ticket"), form=form)
        return TemplateResponse(request, "admin/support/ticket/add.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a ticket, and do to it what was asked."""
        if not request.user.has_perm("support.view_ticket"):
            raise PermissionDenied
        ticket = self._ticket(request, object_id)
        reply_form = _fresh_reply_form(ticket)
        if request.method == "POST":
            answer = self._act(request, ticket)
            if isinstance(answer, HttpResponse):
                return answer
            reply_form = answer or reply_form
            ticket = self._ticket(request, object_id)
        presence.look(ticket=ticket, user=agent_of(request))
        context = self._context(
            request,
            title=f"{ticket.number} {ticket.subject}",
            **_page_context(request, ticket),
            reply_form=reply_form,
        )
        return TemplateResponse(request, self.page_template, context)

    def _context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "media": self.media,
            **more,
        }

    def _ticket(self, request: HttpRequest, object_id: str) -> Ticket:
        if not is_whole_number(object_id):
            raise Http404
        ticket = self.get_queryset(request).with_people().filter(pk=int(object_id)).first()
        if ticket is None:
            raise Http404
        return ticket

    # -- what the page can do --------------------------------------------------------

    def _act(self, request: HttpRequest, ticket: Ticket) -> Any:
        """Run what the button named; the reply form again when it was refused."""
        operation = OPERATIONS.get(request.POST.get("operation", ""))
        if operation is None:
            raise Http404
        permission, run = operation
        if not request.user.has_perm(permission):
            raise PermissionDenied
        try:
            shown = run(request, ticket)
        except (DomainError, ValidationError) as refusal:
            text = "; ".join(getattr(refusal, "messages", None) or [str(refusal)])
            self.message_user(request, text, messages.ERROR)
            return _kept_reply(request, ticket)
        self.message_user(request, _("Done."), messages.SUCCESS)
        return HttpResponseRedirect(_page_of(shown))

    # -- small addresses -------------------------------------------------------------

    def presence_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Who else has the ticket open."""
        if not request.user.has_perm("support.view_ticket"):
            raise PermissionDenied
        ticket = self._ticket(request, str(pk))
        others = presence.look(
            ticket=ticket, user=agent_of(request), is_writing=request.POST.get("writing") == "1"
        )
        people = [
            {"name": str(row.user.get_full_name() or row.user), "writing": row.is_writing}
            for row in others
        ]
        return JsonResponse({"others": people, "last_reply": ticket.last_reply_id})

    def template_view(self, request: HttpRequest, pk: int, template: int) -> JsonResponse:
        """A template filled in for the ticket."""
        if not request.user.has_perm("support.reply_ticket"):
            raise PermissionDenied
        found = ReplyTemplate.objects.filter(pk=template, is_active=True).first()
        if found is None:
            raise Http404
        ticket = self._ticket(request, str(pk))
        return JsonResponse(
            {"body": render_for(template=found, ticket=ticket, agent=agent_of(request))}
        )

    def attachment_view(self, request: HttpRequest, pk: int, attachment: int) -> FileResponse:
        """A file of the ticket."""
        if not request.user.has_perm("support.view_ticket"):
            raise PermissionDenied
        ticket = self._ticket(request, str(pk))
        found = Attachment.objects.filter(reply__ticket=ticket, pk=attachment).first()
        if found is None or not found.file.storage.exists(str(found.file.name)):
            raise Http404
        return private_response(
            found.file.open("rb"), name=found.name, content_type=found.content_type
        )


def _page_of(ticket: Ticket) -> str:
    return reverse("admin:support_ticket_change", args=[ticket.pk])


def _fresh_reply_form(ticket: Ticket) -> forms.ReplyForm:
    return forms.ReplyForm(initial={"expected_last_reply": ticket.last_reply_id})


def _kept_reply(request: HttpRequest, ticket: Ticket) -> forms.ReplyForm | None:
    """The reply box with the text still in it, now knowing the newest reply."""
    if request.POST.get("operation") != "reply":
        return None
    ticket.refresh_from_db(fields=["last_reply"])
    names = ("body", "template", "status")
    kept: dict[str, Any] = {name: request.POST.get(name, "") for name in names}
    kept["internal"] = bool(request.POST.get("internal"))
    return forms.ReplyForm(initial={**kept, "expected_last_reply": ticket.last_reply_id})


def _valid(form: Any) -> dict[str, Any]:
    if not form.is_valid():
        raise ValidationError(
            [f"{name}: {text}" for name, texts in form.errors.items() for text in texts]
        )
    return form.cleaned_data


def _reply(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.ReplyForm(request.POST, request.FILES))
    reply_as_staff(
        actor=agent_of(request),
        ticket=ticket,
        source=Reply.Source.ADMIN,
        **{**data, "status": data["status"] or None},
    )
    return ticket


def _change(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.PropertiesForm(request.POST))
    version = data.pop("version")
    return update_ticket(
        actor=agent_of(request), ticket=ticket, changes=data, expected_version=version
    )


def _take(request: HttpRequest, ticket: Ticket) -> Ticket:
    return update_ticket(
        actor=agent_of(request), ticket=ticket, changes={"assignee": agent_of(request)}
    )


def _macro(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.MacroForm(request.POST))
    return apply_macro(actor=agent_of(request), ticket=ticket, macro=data["macro"])


def _other(request: HttpRequest) -> Ticket:
    other = _valid(forms.OtherTicketForm(request.POST))["ticket"]
    if not Ticket.objects.visible_to(request.user).filter(pk=other.pk).exists():
        raise NotFound
    return other


def _merge(request: HttpRequest, ticket: Ticket) -> Ticket:
    return merge_tickets(actor=agent_of(request), source=ticket, into=_other(request))


def _join(request: HttpRequest, ticket: Ticket) -> Ticket:
    suggested = _suggested(request, ticket)
    if suggested is None:
        raise NotFound
    return join_suggested(actor=agent_of(request), ticket=ticket)


def _suggested(request: HttpRequest, ticket: Ticket) -> Ticket | None:
    """The ticket that a mail of this one mentions, if this agent may see it."""
    message = InboundMessage.objects.suggested_for(ticket).first()
    other = message.may_belong_to if message else None
    other = (other.merged_into or other) if other else None
    if other is None or not Ticket.objects.visible_to(request.user).filter(pk=other.pk).exists():
        return None
    return other


def _link(request: HttpRequest, ticket: Ticket) -> Ticket:
    link_tickets(actor=agent_of(request), ticket=ticket, other=_other(request))
    return ticket


def _split(request: HttpRequest, ticket: Ticket) -> Ticket:
    data = _valid(forms.SplitForm(request.POST, ticket=ticket))
    return split_ticket(actor=agent_of(request), ticket=ticket, **data)


OPERATIONS: dict[str, tuple[str, Callable[[HttpRequest, Ticket], Ticket]]] = {
    "reply": ("support.reply_ticket", _reply),
    "change": ("support.change_ticket", _change),
    "take": ("support.change_ticket", _take),
    "macro": ("support.reply_ticket", _macro),
    "merge": ("support.merge_ticket", _merge),
    "join": ("support.merge_ticket", _join),
    "link": ("support.merge_ticket", _link),
    "split": ("support.merge_ticket", _split),
}


def _page_context(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    replies, has_earlier = ticket.replies.latest(before=_reply_before(request))
    html = render_page([reply.body for reply in replies])
    return {
        "ticket": ticket,
        "replies": list(zip(replies, html, strict=True)),
        "has_earlier_replies": has_earlier,
        "is_earlier_page": "before" in request.GET,
        "properties_form": forms.PropertiesForm(
            # The reply form beside it has a status too: no two fields of a page share an id.
            auto_id="id_ticket_%s",
            initial={
                "status": ticket.status,
                "priority": ticket.priority,
                "assignee": ticket.assignee_id,
                "category": ticket.category_id,
                "tags": ", ".join(tag.name for tag in ticket.tags.all()),
                "version": ticket.version,
            },
        ),
        "macro_form": forms.MacroForm(),
        "other_form": forms.OtherTicketForm(auto_id=False),
        "suggested": _suggested(request, ticket),
        "participants": ticket.participants.all(),
        "may_see_mail": request.user.has_perm("support.view_inboundmessage"),
        "events": ticket.events.order_by("-id")[:50],
        "breaches": SlaBreach.objects.filter(ticket=ticket),
        "links": Ticket.objects.linked_to(ticket),
        "merged": ticket.merged_tickets.all(),
        "rating": TicketRating.objects.filter(ticket=ticket).first(),
        "others": presence.others(ticket=ticket, user=agent_of(request)),
        "earlier": _earlier(request, ticket),
        "panels": _account_panels(request, ticket),
        "account_url": _account_url(ticket),
        "may": {
            name.split("_")[0]: request.user.has_perm(f"support.{name}")
            for name in ("reply_ticket", "change_ticket", "merge_ticket")
        },
    }


def _reply_before(request: HttpRequest) -> int | None:
    """Return the id of the reply that the page ends before; one that is no number is ignored."""
    before = request.GET.get("before", "")
    return int(before) if is_whole_number(before) else None


def _earlier(request: HttpRequest, ticket: Ticket) -> Any:
    if ticket.requester_id is None:
        return Ticket.objects.none()
    seen = Ticket.objects.visible_to(request.user).filter(requester_id=ticket.requester_id)
    return seen.exclude(pk=ticket.pk).order_by("-id")[:5]


def _account_panels(request: HttpRequest, ticket: Ticket) -> list[tuple[Any, Any]]:
    """What every desk knows of the requester, as far as this agent may see it."""
    if ticket.requester is None:
        return []
    panels = sorted(plugins.collect("account", "PANELS"), key=lambda panel: panel.order)
    return [
        (panel.title, panel.summary(ticket.requester))
        for panel in panels
        if request.user.has_perm(panel.permission)
    ]


def _account_url(ticket: Ticket) -> str:
    if ticket.requester_id is None:
        return ""
    for name in ("admin:riskops_account", "admin:systemadmin_user_change"):
        try:
            return reverse(name, args=[ticket.requester_id])
        except NoReverseMatch:
            continue
    return ""
