"""The page a ticket is worked on, and the small addresses it uses."""

from typing import Any, Final

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
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from support.admin import forms
from support.admin.conversation import (
    draft_context,
    messages_context,
    page_context,
    templates_for,
)
from support.admin.operations import (
    KEEPS_TEXT,
    OPERATIONS,
    done_message,
    opens_next_ticket,
    view_values,
)
from support.admin.people import agent_of
from support.admin.queues import Queue, page_keys, view_named
from support.models import ReplyTemplate, Ticket
from support.originals import picture_response
from support.querysets.replies import SHOWN_IN_PLACE
from support.services import agent_notices, open_ticket, presence, readings, render_for
from support.services.drafts import save_draft
from support.services.saved_views import delete_view, save_view
from systemadmin.foundation.display import display_name
from systemadmin.foundation.errors import DomainError, NotFound
from systemadmin.foundation.files import inline_image_response, private_response
from systemadmin.foundation.page_limits import heartbeat
from systemadmin.foundation.parsing import is_whole_number

PANES: Final = "admin/support/ticket/panes.html"


class TicketPages:
    """Mixed into the admin of tickets: the working page instead of Django's form."""

    page_template = "admin/support/ticket/page.html"
    admin_site: Any
    model: Any
    media: Any
    message_user: Any
    get_queryset: Any

    def page_urls(self) -> list[Any]:
        """Return addresses the page uses."""
        wrap = self.admin_site.admin_view
        return [
            path("work/", wrap(self.workspace_view), name="support_ticket_workspace"),
            path("views/", wrap(require_POST(self.views_view)), name="support_ticket_views"),
            path(
                "<int:pk>/draft/", wrap(require_POST(self.draft_view)), name="support_ticket_draft"
            ),
            path("<int:pk>/templates/", wrap(self.templates_view), name="support_ticket_templates"),
            path(
                "<int:pk>/attachment/<int:attachment>/picture/",
                wrap(self.picture_view),
                name="support_ticket_picture",
            ),
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
            path(
                "<int:pk>/attachment/<int:attachment>/inline/",
                wrap(self.inline_view),
                name="support_ticket_inline",
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
        given = {name: request.GET.get(name, "") for name in ("user", "subject")}
        form = forms.NewTicketForm(request.POST or None, http=request, initial=given)
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

    def workspace_view(self, request: HttpRequest) -> HttpResponse:
        """Return the first ticket of a queue, or that nothing waits in it."""
        _require(request, "support.view_ticket")
        queue = Queue(request)
        if "queue" not in request.GET and not queue.words:
            queue.open_busy()
        if request.GET.get("part") == "list":
            return self._list(request, queue, None)
        first = queue.first()
        # An agent on a telephone chooses from the list first.
        return self._show(request, queue, self._ticket(request, str(first.pk)) if first else None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a ticket in its queue, and do to it what was asked."""
        _require(request, "support.view_ticket")
        ticket, queue = self._ticket(request, object_id), Queue(request)
        if request.method == "POST":
            return self._act(request, queue, ticket)
        part = request.GET.get("part")
        if part == "list":
            return self._list(request, queue, ticket)
        if part == "messages":
            readings.mark_read(user=agent_of(request), ticket=ticket)
            context = {"ticket": ticket, **messages_context(request, ticket)}
            return TemplateResponse(request, "admin/support/ticket/messages.html", context)
        return self._show(request, queue, ticket)

    def _show(
        self, request: HttpRequest, queue: Queue, ticket: Ticket | None, **more: Any
    ) -> HttpResponse:
        """Answer with the whole workspace, to htmx with its panes."""
        context: dict[str, Any] = {"queue": queue, "ticket": ticket}
        if ticket is not None:
            agent = agent_of(request)
            presence.record_presence(ticket=ticket, user=agent)
            agent_notices.mark_seen(user=agent, ticket=ticket)
            readings.mark_read(user=agent, ticket=ticket)
            context |= page_context(request, ticket) | draft_context(request, ticket)
            context["work_url"] = queue.url(ticket)
            context["messages_part"] = queue.url(ticket, part="messages")
        context["queue_part"] = queue.url(ticket, part="list")
        context |= queue.listed(ticket) | more
        if "HX-Request" in request.headers:
            response = TemplateResponse(request, PANES, {**context, "is_fragment": True})
            response["HX-Push-Url"] = queue.url(ticket)
            return response
        title = f"{ticket.number} {ticket.subject}" if ticket else _("Tickets")
        context = self._context(request, title=title, page_keys=page_keys(request.user), **context)
        return TemplateResponse(request, self.page_template, context)

    def _list(self, request: HttpRequest, queue: Queue, ticket: Ticket | None) -> HttpResponse:
        context = {"queue": queue, "ticket": ticket, **queue.listed(ticket)}
        context["queue_part"] = queue.url(ticket, part="list")
        return TemplateResponse(request, "admin/support/ticket/list.html", context)

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

    def _act(self, request: HttpRequest, queue: Queue, ticket: Ticket) -> HttpResponse:
        """Run what the button named, and go on to what it leads to."""
        # A button that puts a template into the box has a name of its own.
        named = "use_template" if "use" in request.POST else request.POST.get("operation", "")
        operation = OPERATIONS.get(named)
        if operation is None:
            raise Http404
        permission, run = operation
        _require(request, permission)
        place = queue.key_of(ticket)
        try:
            shown: Ticket | None = run(request, ticket)
        except (DomainError, ValidationError) as refusal:
            text = "; ".join(getattr(refusal, "messages", None) or [str(refusal)])
            return self._refuse(request, queue, ticket, text)
        said = done_message(request, named, ticket)
        if opens_next_ticket(request):
            presence.leave(ticket=ticket, user=agent_of(request))
            shown = queue.after(place)
        if "HX-Request" in request.headers:
            fresh = self._ticket(request, str(shown.pk)) if shown is not None else None
            return self._show(request, queue, fresh, said=said, focuses_title=True)
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(queue.url(shown))

    def _refuse(
        self, request: HttpRequest, queue: Queue, ticket: Ticket, text: str
    ) -> HttpResponse:
        """Say why not: to htmx beside the reply box, whose text and files stay as they are."""
        fresh = self._ticket(request, str(ticket.pk))
        if "HX-Request" in request.headers:
            context = {"ticket": fresh, "refused": text, **messages_context(request, fresh)}
            response = TemplateResponse(request, "admin/support/ticket/refused.html", context)
            response["HX-Retarget"], response["HX-Reswap"] = "#work-notice", "innerHTML"
            return response
        self.message_user(request, text, messages.ERROR)
        return self._show(request, queue, fresh, **_kept_text(request))

    # -- small addresses -------------------------------------------------------------

    @heartbeat
    def presence_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Return who else has the ticket open."""
        _require(request, "support.view_ticket")
        ticket = self._ticket(request, str(pk))
        others = presence.record_presence(
            ticket=ticket, user=agent_of(request), is_writing=request.POST.get("writing") == "1"
        )
        people = [{"name": display_name(row.user), "writing": row.is_writing} for row in others]
        return JsonResponse({"others": people, "last_reply": ticket.last_reply_id})

    def template_view(self, request: HttpRequest, pk: int, template: int) -> JsonResponse:
        """Return a template filled in for the ticket."""
        _require(request, "support.reply_ticket")
        found = ReplyTemplate.objects.filter(pk=template, is_active=True).first()
        if found is None:
            raise Http404
        ticket = self._ticket(request, str(pk))
        return JsonResponse(
            {"body": render_for(template=found, ticket=ticket, agent=agent_of(request))}
        )

    def attachment_view(self, request: HttpRequest, pk: int, attachment: int) -> FileResponse:
        """Return a file of the ticket."""
        _require(request, "support.view_ticket")
        ticket = self._ticket(request, str(pk))
        found = (
            readings.files_for(user=agent_of(request), ticket=ticket).filter(pk=attachment).first()
        )
        if found is None or not found.file.storage.exists(str(found.file.name)):
            raise Http404
        return private_response(
            found.file.open("rb"), name=found.name, content_type=found.content_type
        )

    def inline_view(self, request: HttpRequest, pk: int, attachment: int) -> FileResponse:
        """Return a picture that a mail of the ticket shows in place."""
        _require(request, "support.view_ticket")
        files = readings.files_for(user=agent_of(request), ticket=self._ticket(request, str(pk)))
        try:
            return picture_response(files, attachment)
        except NotFound:
            raise Http404 from None

    def picture_view(self, request: HttpRequest, pk: int, attachment: int) -> FileResponse:
        """Return a picture among the files of the ticket, as its preview shows it."""
        _require(request, "support.view_ticket")
        files = readings.files_for(user=agent_of(request), ticket=self._ticket(request, str(pk)))
        found = files.filter(pk=attachment, content_type__in=SHOWN_IN_PLACE).first()
        if found is None or not found.file.storage.exists(str(found.file.name)):
            raise Http404
        return inline_image_response(found.file.open("rb"), content_type=found.content_type)

    # -- the agent's own -------------------------------------------------------------

    @heartbeat
    def draft_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Keep what is typed; 409 with the other text when it was typed over elsewhere."""
        _require(request, "support.reply_ticket")
        form = forms.DraftForm(request.POST)
        if not form.is_valid():
            return JsonResponse({"errors": form.errors}, status=400)
        try:
            draft = save_draft(
                actor=agent_of(request), ticket=self._ticket(request, str(pk)), **form.cleaned_data
            )
        except DomainError as refusal:
            return JsonResponse({"detail": str(refusal), **refusal.extra}, status=refusal.status)
        return JsonResponse({"version": draft.version if draft else 0})

    def templates_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the templates with these words, as buttons."""
        _require(request, "support.reply_ticket")
        ticket = self._ticket(request, str(pk))
        found = templates_for(ticket, request.GET.get("words", "")[:100])
        context = {"ticket": ticket, "templates": found}
        return TemplateResponse(request, "admin/support/ticket/templates.html", context)

    def views_view(self, request: HttpRequest) -> HttpResponse:
        """Save a list to come back to, or delete one."""
        _require(request, "support.view_ticket")
        agent = agent_of(request)
        view = view_named(agent, request.POST.get("view", ""))
        try:
            if "delete" in request.POST:
                if view is None:
                    raise NotFound
                delete_view(actor=agent, view=view)
                self.message_user(request, _("The view was deleted."), messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:support_ticket_workspace"))
            saved = save_view(actor=agent, view=view, values=view_values(request))
        except (DomainError, ValidationError) as refusal:
            text = "; ".join(getattr(refusal, "messages", None) or [str(refusal)])
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:support_ticket_workspace"))
        self.message_user(request, _("The view was saved."), messages.SUCCESS)
        place = reverse("admin:support_ticket_workspace")
        return HttpResponseRedirect(f"{place}?queue=view-{saved.pk}")


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _page_of(ticket: Ticket) -> str:
    return reverse("admin:support_ticket_change", args=[ticket.pk])


def _kept_text(request: HttpRequest) -> dict[str, Any]:
    """Return the reply box with the text still in it."""
    if request.POST.get("operation") not in KEEPS_TEXT:
        return {}
    return {
        "starts_as_note": bool(request.POST.get("internal")),
        "starting_text": request.POST.get("body", ""),
        "is_to_all": bool(request.POST.get("to_all")),
    }
