"""The queues, and what is done to several tickets at once."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from support.admin.forms import AssignForm, OtherTicketForm, PriorityForm, TemplateReplyForm
from support.admin.notices import notices_page
from support.admin.pages import TicketPages
from support.admin.people import agent_of
from support.admin.queues import QUEUES, desk_tabs
from support.admin.reports import report_csv, report_page
from support.lifecycle import CLOSED, RESOLVED
from support.models import (
    AgentState,
    InboundMessage,
    Reply,
    SlaBreach,
    Tag,
    Ticket,
    TicketRating,
)
from support.services import join_suggested, merge_tickets, readings, reply_as_staff, update_ticket
from support.services.agent_notices import page_rows
from support.services.agent_states import delete_agent_state, save_agent_state
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ServiceModelAdmin,
    form_action,
    service_action,
)
from systemadmin.foundation.display import display_moment
from systemadmin.foundation.errors import NotFound


class QueueFilter(admin.SimpleListFilter):
    """Filter the table by the queues of the workspace."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(QUEUES.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        code = self.value()
        return queryset.in_queue(code, request.user) if code in QUEUES else queryset


@admin.register(Ticket)
class TicketAdmin(TicketPages, AtalayaModelAdmin):
    """Queues to choose from, a page to work in, and actions on the selected."""

    change_list_template = "admin/support/ticket/change_list.html"
    list_display = (
        "number",
        "subject",
        "status_shown",
        "priority_shown",
        "requester",
        "assignee",
        "category",
        "due_shown",
        "updated_at",
    )
    list_display_links = ("number", "subject")
    list_filter = (QueueFilter, "status", "priority", "category", "channel")
    list_select_related = ("requester", "assignee", "category")
    search_fields = ("number",)
    search_help_text = _("Number, or words of the subject, the customer and the replies.")
    ordering = ("-id",)
    sortable_by = ("number", "due_shown", "updated_at")
    actions = (
        "reply_with_template",
        "assign_to_me",
        "assign",
        "set_priority",
        "resolve",
        "close",
        "merge",
        "join",
    )

    class Media:
        css = {"all": ["support/ticket.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return what this agent may see."""
        return Ticket.objects.visible_to(request.user)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Search subjects, customers and replies, as the API does; never duplicates."""
        if not search_term.strip():
            return queryset, False
        user = agent_of(request)
        return readings.find_tickets(user=user, tickets=queryset, query=search_term), False

    def get_urls(self) -> list[Any]:
        """Return the desk's own pages before Django's."""
        wrap = self.admin_site.admin_view
        own = [
            path("reports/", wrap(lambda r: report_page(self, r)), name="support_ticket_reports"),
            path("reports.csv", wrap(lambda r: report_csv(self, r)), name="support_ticket_csv"),
            path("notices/", wrap(lambda r: notices_page(self, r)), name="support_ticket_notices"),
            *self.page_urls(),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Return the list with the number of tickets in each queue."""
        context = {
            "queues": desk_tabs(request.user),
            "queue": request.GET.get("queue", ""),
            "unseen": page_rows(agent_of(request)).unseen().count(),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.display(description=_("status"), ordering="status")
    def status_shown(self, ticket: Ticket) -> str:
        """Return the status as a coloured word."""
        return format_html(
            '<span class="support-badge support-status-{}">{}</span>',
            ticket.status,
            ticket.get_status_display(),
        )

    @admin.display(description=_("priority"), ordering="priority_rank")
    def priority_shown(self, ticket: Ticket) -> str:
        """Return the priority as a coloured word."""
        return format_html(
            '<span class="support-badge support-priority-{}">{}</span>',
            ticket.priority,
            ticket.get_priority_display(),
        )

    @admin.display(description=_("due"), ordering="next_due_at")
    def due_shown(self, ticket: Ticket) -> str:
        """When the next promise is due, marked when it has passed."""
        due = ticket.overdue_since or ticket.next_due_at
        if due is None:
            return "-"
        late = "support-late" if due < timezone.now() else ""
        return format_html(
            '<span class="{}">{}</span>',
            late,
            display_moment(due),
        )

    @form_action(
        description=_("Reply with template"), perm="support.reply_ticket", form=TemplateReplyForm
    )
    def reply_with_template(self, request: HttpRequest, obj: Ticket, data: dict) -> None:
        """Send the same template, filled in for each ticket."""
        reply_as_staff(
            actor=agent_of(request),
            ticket=obj,
            template=data["template"],
            status=data["status"] or None,
            source=Reply.Source.ADMIN,
        )

    @service_action(description=_("Assign to me"), perm="support.change_ticket")
    def assign_to_me(self, request: HttpRequest, obj: Ticket) -> None:
        """Assign the chosen tickets to the caller."""
        update_ticket(actor=agent_of(request), ticket=obj, changes={"assignee": agent_of(request)})

    @form_action(description=_("Assign to an agent"), perm="support.change_ticket", form=AssignForm)
    def assign(self, request: HttpRequest, obj: Ticket, data: dict) -> None:
        """Assign the chosen tickets to an agent, or to nobody."""
        update_ticket(actor=agent_of(request), ticket=obj, changes={"assignee": data["assignee"]})

    @form_action(description=_("Set priority"), perm="support.change_ticket", form=PriorityForm)
    def set_priority(self, request: HttpRequest, obj: Ticket, data: dict) -> None:
        """Set one priority for all chosen tickets."""
        update_ticket(actor=agent_of(request), ticket=obj, changes={"priority": data["priority"]})

    @service_action(description=_("Resolve"), perm="support.change_ticket")
    def resolve(self, request: HttpRequest, obj: Ticket) -> None:
        """Mark the chosen tickets as resolved."""
        update_ticket(actor=agent_of(request), ticket=obj, changes={"status": RESOLVED})

    @service_action(description=_("Close"), perm="support.change_ticket")
    def close(self, request: HttpRequest, obj: Ticket) -> None:
        """Close the chosen tickets."""
        update_ticket(actor=agent_of(request), ticket=obj, changes={"status": CLOSED})

    @form_action(description=_("Merge"), perm="support.merge_ticket", form=OtherTicketForm)
    def merge(self, request: HttpRequest, obj: Ticket, data: dict) -> None:
        """Merge the selected into one ticket, which may be among them."""
        target = data["ticket"]
        if not self.get_queryset(request).filter(pk=target.pk).exists():
            raise NotFound
        if obj.pk != target.pk:
            merge_tickets(actor=agent_of(request), source=obj, into=target)

    @service_action(
        description=_("Join to the ticket that its mail mentions"), perm="support.merge_ticket"
    )
    def join(self, request: HttpRequest, obj: Ticket) -> None:
        """Merge each into the ticket it may belong to."""
        message = InboundMessage.objects.suggested_for(obj).first()
        other = message.may_belong_to if message else None
        if other is not None and not self.get_queryset(request).filter(pk=other.pk).exists():
            raise NotFound
        join_suggested(actor=agent_of(request), ticket=obj)


@admin.register(Tag)
class TagAdmin(AtalayaModelAdmin):
    """List the tags that tickets carry."""

    list_display = ("name",)
    search_fields = ("name",)


@admin.register(SlaBreach)
class SlaBreachAdmin(AtalayaModelAdmin):
    """List the targets of service levels that were missed."""

    list_display = ("ticket", "clock", "cycle", "due_at", "detected_at", "assignee", "version")
    list_filter = ("clock",)
    list_select_related = ("ticket", "assignee", "version")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows of tickets whose category and mailbox this user may read."""
        seen = Ticket.objects.open_to(request.user)
        return super().get_queryset(request).filter(ticket__in=seen)


@admin.register(TicketRating)
class TicketRatingAdmin(AtalayaModelAdmin):
    """List the customers' ratings of resolved tickets."""

    list_display = ("ticket", "score", "comment", "assignee", "rated_at")
    list_filter = ("score",)
    list_select_related = ("ticket", "assignee")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows of tickets whose category and mailbox this user may read."""
        seen = Ticket.objects.open_to(request.user)
        return super().get_queryset(request).filter(ticket__in=seen)


@admin.register(AgentState)
class AgentStateAdmin(ServiceModelAdmin):
    """Edit which agents are given tickets, and how many each takes at once."""

    list_display = ("user", "is_available", "capacity", "last_assigned_at")
    list_select_related = ("user",)
    readonly_fields = ("last_assigned_at",)
    autocomplete_fields = ("user",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Make the agent read-only once stored, as it is the row's key."""
        return self.readonly_fields if obj is None else ("user", *self.readonly_fields)

    def create(self, actor: Any, values: dict[str, Any]) -> AgentState:
        """Add the agent state by its service."""
        return save_agent_state(actor=actor, values=values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> AgentState:
        """Change the agent state by its service."""
        return save_agent_state(actor=actor, state=obj, values=values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the agent state by its service."""
        delete_agent_state(actor=actor, state=obj)
