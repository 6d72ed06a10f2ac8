"""The queues of the ticket workspace: which tickets, in which order, and what stands in a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Case, Value, When
from django.db.models.functions import Left
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from support.admin import forms
from support.admin.people import agent_of
from support.models import Reply, SavedView, Ticket
from support.services import readings
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.foundation.waiting import count_up_to, shown_count
from systemadmin.services.duties import accounts_of

SHOWN: Final = 50
SNIPPET: Final = 120
MERGE: Final = "support.merge_ticket"
QUEUES: Final = {
    "mine": gettext_lazy("Mine"),
    "unassigned": gettext_lazy("Unassigned"),
    "overdue": gettext_lazy("Overdue"),
    "open": gettext_lazy("All open"),
    "snoozed": gettext_lazy("Snoozed"),
}
LEVELS: Final = {"low": "low", "medium": "medium", "high": "high", "urgent": "critical"}


@dataclass(frozen=True, slots=True)
class Tab:
    """A queue as the list names it."""

    code: str
    title: str
    rows: Any
    view: SavedView | None = None

    @property
    def count(self) -> str:
        """How many wait, 999 at most."""
        return shown_count(count_up_to(self.rows))


def desk_tabs(user: Any) -> list[Tab]:
    """Return the queues of the desk with the tickets that this agent sees in each."""
    seen = Ticket.objects.visible_to(user)
    return [Tab(code, str(title), seen.in_queue(code, user)) for code, title in QUEUES.items()]


class Queue:
    """One agent's queues, and the one that is open: `?queue=…` and words to search."""

    def __init__(self, request: HttpRequest) -> None:
        self.request, self.user = request, agent_of(request)
        self.words = request.GET.get("q", "").strip()[:100]
        self.code = self._known(request.GET.get("queue", ""))

    @cached_property
    def tabs(self) -> list[Tab]:
        """Return the queues of the desk, then the agent's views and the shared ones."""
        views = SavedView.objects.of(self.user).select_related("category")
        return desk_tabs(self.user) + [
            Tab(f"view-{v.pk}", v.name, view_rows(v, self.user), v) for v in views
        ]

    def _known(self, code: str) -> str:
        return code if any(tab.code == code for tab in self.tabs) else "mine"

    @cached_property
    def tab(self) -> Tab:
        """Return the queue that is open."""
        return next(tab for tab in self.tabs if tab.code == self.code)

    def open_busy(self) -> None:
        """Open the first queue that has a ticket, if the agent's own has none."""
        for tab in self.tabs[:4]:
            if tab.rows.exists():
                self.code = tab.code
                return

    @cached_property
    def rows(self) -> Any:
        """Its tickets, due first."""
        found = self.tab.rows
        if self.words:
            # A search goes through everything that the agent may see, whatever queue is open.
            seen = Ticket.objects.visible_to(self.user)
            found = readings.find_tickets(user=self.user, tickets=seen, query=self.words)
        return found.due_first()

    @cached_property
    def own_view(self) -> SavedView | None:
        """Return the view that is open, if this agent may change it."""
        view = self.tab.view
        return view if view is not None and view.owner_id == self.user.pk else None

    @property
    def view_form(self) -> forms.SavedViewForm:
        """The form of the open view, or of a new one."""
        return forms.SavedViewForm(instance=self.own_view, auto_id="view_%s")

    def first(self) -> Ticket | None:
        """Return what is due first."""
        return self.rows.first()

    def url(self, ticket: Ticket | None = None, **more: Any) -> str:
        """Return the address of a ticket in this queue, or of the queue."""
        place = (
            reverse("admin:support_ticket_change", args=[ticket.pk])
            if ticket is not None
            else reverse("admin:support_ticket_workspace")
        )
        asked = {"queue": self.code, **({"q": self.words} if self.words else {}), **more}
        return f"{place}?{urlencode(asked)}"

    def key_of(self, ticket: Ticket) -> tuple[Any, int]:
        """Return the place of a ticket in the queue."""
        return ticket.overdue_since or ticket.next_due_at, ticket.pk

    def after(self, key: tuple[Any, int]) -> Ticket | None:
        """Return what stands behind a place, or the first where nothing does."""
        return self.rows.after(key).first() or self.rows.exclude(pk=key[1]).first()

    def listed(self, ticket: Ticket | None) -> dict[str, Any]:
        """Return the list around a ticket, and what stands before and behind it."""
        wanted = self.rows.with_unread(self.user).annotate(
            snippet=Case(
                When(
                    last_reply__kind=Reply.Kind.INTERNAL,
                    requester__in=accounts_of(self.user.pk),
                    then=Value(""),
                ),
                default=Left("last_reply__body", SNIPPET),
            )
        )
        wanted = wanted.select_related("requester", "assignee")
        found = list(wanted[: SHOWN + 1])
        following = before = None
        if ticket is not None:
            key = self.key_of(ticket)
            if ticket not in found[:SHOWN] and self.rows.filter(pk=ticket.pk).exists():
                found = list(wanted.filter(pk=ticket.pk)) + list(wanted.after(key)[:SHOWN])
            before = self.rows.before(key).first()
            following = self.rows.after(key).first()
        return {
            "rows": [(row, self.url(row), LEVELS[row.priority]) for row in found[:SHOWN]],
            "more": self.url(found[SHOWN]) if len(found) > SHOWN else "",
            "previous": self.url(before) if before is not None else "",
            "following": self.url(following) if following is not None else "",
        }


def view_rows(view: SavedView, user: Any) -> Any:
    """Return the tickets of a saved view, as this agent sees them."""
    rows = Ticket.objects.visible_to(user)
    if view.which == SavedView.StatusFilter.OPEN:
        rows = rows.open().awake()
    else:
        rows = rows.filter(status=view.which)
    narrow: dict[str, Callable[[Any], Any]] = {
        "mine": lambda found: found.filter(assignee=user),
        "nobody": lambda found: found.filter(assignee__isnull=True),
    }
    rows = narrow.get(view.whose, lambda found: found)(rows)
    fields = {"priority": view.priority, "category": view.category_id, "tags__name": view.tag}
    rows = rows.filter(**{name: value for name, value in fields.items() if value})
    if view.is_overdue:
        rows = rows.overdue()
    if not view.words:
        return rows
    return readings.find_tickets(user=user, tickets=rows, query=view.words)


def view_named(user: Any, code: Any) -> SavedView | None:
    """Return the view of this key, if it is one of the agent's lists."""
    if not is_whole_number(code):
        return None
    return SavedView.objects.of(user).filter(pk=int(code)).first()


def page_keys(user: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the keys of the workspace that this user may need, for the list of keys."""
    keys = [
        (_("Next, previous ticket"), "J, K"),
        (_("Reply"), "R"),
        (_("Internal note"), "I"),
        (_("Template, in the box"), "/"),
        (_("Macro"), "M"),
        (_("Status"), "E"),
        (_("Assign"), "A"),
        (_("Snooze"), "S"),
        *([(_("Merge into another ticket"), "U")] if user.has_perm(MERGE) else []),
        (_("Search and filter"), "F"),
        (_("New ticket"), "N"),
        (_("Send and next"), "Ctrl ↵"),
        (_("Send and resolve"), "Ctrl ⇧ ↵"),
    ]
    return [(_("Tickets"), keys)]
