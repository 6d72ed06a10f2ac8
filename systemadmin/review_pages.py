"""The review desk: what waits for a decision, one thing after the other.

Every page works as plain HTML: a decision is a POST that leads to the next thing. To htmx the same
views answer with the pane of the next thing, the list beside it and a toast.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.apps import apps
from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.forms import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from systemadmin import review_decisions as deciding
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.foundation.plugins import Worklist, account_panels, collect
from systemadmin.foundation.review_queues import Queue
from systemadmin.services import review_presence
from systemadmin.services.duties import is_own_case

SHOWN: Final = 50
# A longer queue says "99+": nothing is counted to its end.
COUNTED: Final = 100
PAGE: Final = "admin/review/page.html"
PANES: Final = "admin/review/panes.html"


class Desk:
    """One queue as one person sees it."""

    def __init__(self, request: HttpRequest, site: Any, code: str) -> None:
        found = next((one for one in worklists(request, site) if _queue(one).code == code), None)
        if found is None:
            raise PermissionDenied if code in _codes() else Http404
        self.request, self.site, self.worklist = request, site, found
        self.queue = _queue(found)
        self.modeladmin = admin_of(site, self.queue)

    def thing(self, pk: int) -> Any:
        """Return one thing, whether it waits or not."""
        thing = self.queue.rows(self.request.user).filter(pk=pk).first()
        if thing is None:
            raise Http404
        return thing

    def first(self) -> Any:
        """Return what is most urgent, None where nothing waits."""
        return self.queue.things(self.request.user).first()

    def next_after(self, key: Sequence[Any]) -> Any:
        """Return what comes behind a place, or the first where nothing does."""
        return self.queue.after(self.request.user, key).first() or self.first()

    def is_waiting(self, thing: Any) -> bool:
        """Return whether a thing still waits for a decision."""
        rows = self.queue.rows(self.request.user)
        return self.queue.waiting(rows).filter(pk=thing.pk).exists()

    def url(self, thing: Any = None) -> str:
        """Return the address of a thing, or of the queue."""
        if thing is None:
            return reverse("admin:review_queue", args=[self.queue.code])
        return reverse("admin:review_thing", args=[self.queue.code, thing.pk])

    def neighbours(self, thing: Any) -> dict[str, Any]:
        """Return the list around a thing, and what stands before and behind it."""
        user = self.request.user
        rows = list(self.queue.things(user)[: SHOWN + 1])
        if thing is not None and thing not in rows[:SHOWN]:
            key = self.queue.key_of(thing)
            rows = [thing, *self.queue.after(user, key)[:SHOWN]]
        before = None
        if thing is not None:
            before = self.queue.before(user, self.queue.key_of(thing)).first()
        at = rows.index(thing) if thing in rows else -1
        return {
            "rows": [(row, self.queue.card(row), self.url(row)) for row in rows[:SHOWN]],
            "more": self.url(rows[SHOWN]) if len(rows) > SHOWN else "",
            "previous": self.url(before) if before is not None else "",
            "following": self.url(rows[at + 1]) if 0 <= at < len(rows) - 1 else "",
        }

    def context(self, thing: Any, outcome: deciding.Outcome | None = None) -> dict[str, Any]:
        """Return what both panes show."""
        shown: dict[str, Any] = {
            **self.listed(thing),
            "queue": self.queue,
            "outcome": outcome,
            "typed": self.request.POST if outcome and not outcome.is_done else {},
            "is_fragment": "HX-Request" in self.request.headers,
            "focuses_title": outcome is not None and not outcome.asks and outcome.status == 200,
        }
        if thing is not None:
            shown |= self._whole(thing, outcome)
        return shown

    def listed(self, thing: Any) -> dict[str, Any]:
        """Return what the list beside a thing shows."""
        several = "several" in self.request.GET
        return {
            "worklist": self.worklist,
            "queue_url": self.url(),
            "thing": thing,
            "several": several,
            "can_several": any(one.for_several for one in self.queue.decisions),
            "part": f"{self.url(thing)}?part=list{'&several=1' if several else ''}",
            "tabs": [
                (one.title, reverse("admin:review_queue", args=[_queue(one).code]), one is here)
                for one in worklists(self.request, self.site)
                for here in [self.worklist]
            ],
            **self.neighbours(thing),
        }

    def _account_panels(self, account: Any) -> list[dict[str, Any]]:
        if account is None or is_own_case(self.request.user, [account.pk]):
            return []
        return account_panels(self.request.user, account)

    def _whole(self, thing: Any, outcome: deciding.Outcome | None) -> dict[str, Any]:
        queue, request = self.queue, self.request
        waits = self.is_waiting(thing)
        account = queue.account(thing)
        # What was decided takes its reasons with it: the next thing begins with none.
        is_again = outcome is not None and not outcome.is_done
        ticked = request.POST.getlist("reason") if is_again else []
        return {
            "card": queue.card(thing),
            "url": self.url(thing),
            "panels": queue.panels(request, thing),
            "facts": self._facts(thing) if queue.shows_page else None,
            "account": account,
            "account_panels": self._account_panels(account),
            "is_waiting": waits,
            "decided": "" if waits else deciding.decided_text(queue, thing),
            "choices": self._choices(thing, outcome) if waits else [],
            "reasons": [
                (str(number), one, str(number) in ticked)
                for number, one in enumerate(queue.reasons(), start=1)
            ],
            "others": review_presence.look(thing=self.name_of(thing), user=request.user),
            "object_page": _object_page(self.modeladmin, thing),
        }

    def _choices(self, thing: Any, outcome: deciding.Outcome | None) -> list[deciding.Choice]:
        """Return what may be decided; the form that was refused as it was filled in."""
        found = deciding.choices(self.modeladmin, self.request, self.queue, thing)
        if "several" in self.request.GET:
            found = [one for one in found if one.decision.for_several]
        refused = outcome.choice if outcome else None
        return [
            refused if refused is not None and refused.decision is one.decision else one
            for one in found
        ]

    def name_of(self, thing: Any) -> str:
        """Return how a thing is named where looks at it are noted."""
        return f"{self.queue.code}:{thing.pk}"

    def _facts(self, thing: Any) -> AdminForm:
        """Return the fields of the thing's own page, masked as there."""
        fieldsets = self.modeladmin.get_fieldsets(self.request, thing)
        self.modeladmin.get_form(self.request, thing, change=True)
        form = modelform_factory(type(thing), fields=[])(instance=thing)
        names = flatten_fieldsets(fieldsets)
        return AdminForm(form, fieldsets, {}, names, model_admin=self.modeladmin)


def _queue(worklist: Worklist) -> Queue:
    if worklist.queue is None:
        raise LookupError(worklist.title)
    return worklist.queue


def _codes() -> set[str]:
    return {one.queue.code for one in collect("worklists", "WORKLISTS") if one.queue}


def admin_of(site: Any, queue: Queue) -> Any:
    """Return the admin page of a queue's table."""
    return site.get_model_admin(apps.get_model(queue.model))


def worklists(request: HttpRequest, site: Any) -> list[Worklist]:
    """Return the queues that this person may work on, in the order of the home page."""
    user: Any = request.user
    return [
        one
        for one in sorted(collect("worklists", "WORKLISTS"), key=lambda found: found.order)
        if one.queue is not None
        and user.has_perm(one.permission)
        and admin_of(site, one.queue).has_view_permission(request)
    ]


def _object_page(modeladmin: Any, thing: Any) -> str:
    meta = modeladmin.opts
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[thing.pk])


def _render(
    request: HttpRequest, desk: Desk, thing: Any, outcome: deciding.Outcome | None = None
) -> HttpResponse:
    context = desk.context(thing, outcome)
    if "HX-Request" in request.headers:
        response = TemplateResponse(request, PANES, context)
        if outcome is None or outcome.is_done:
            response["HX-Push-Url"] = desk.url(thing)
        return response
    context |= {**desk.site.each_context(request), "title": desk.worklist.title}
    context["undo"] = request.session.pop("review_undo", {})
    status = outcome.status if outcome else 200
    return TemplateResponse(request, PAGE, context, status=status)


def _list(request: HttpRequest, desk: Desk, thing: Any) -> HttpResponse:
    """Return the list alone, as an open page asks for it when something has changed."""
    # A thing that was decided meanwhile has lost its place; the list is that of the queue then.
    if thing is not None and not desk.is_waiting(thing):
        thing = None
    return TemplateResponse(request, "admin/review/list.html", desk.listed(thing))


def overview_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Return every queue with how much waits in it and since when."""
    found = worklists(request, site)
    if not found:
        raise PermissionDenied
    rows = []
    for one in found:
        queue = _queue(one)
        things = queue.things(request.user)
        first = things.first()
        count = len(things.values_list("pk")[:COUNTED]) if first is not None else 0
        rows.append(
            {
                "title": one.title,
                "url": reverse("admin:review_queue", args=[queue.code]),
                "count": f"{COUNTED - 1}+" if count == COUNTED else str(count),
                "first": queue.card(first) if first is not None else None,
            }
        )
    rows.sort(key=lambda row: row["first"] is None)
    context = {**site.each_context(request), "title": _("Review desk"), "queues": rows}
    return TemplateResponse(request, "admin/review/overview.html", context)


def queue_page(request: HttpRequest, site: Any, code: str) -> HttpResponse:
    """Return the first thing of a queue, or that nothing waits."""
    desk = Desk(request, site, code)
    if request.GET.get("part") == "list":
        return _list(request, desk, None)
    return _render(request, desk, desk.first())


def thing_page(request: HttpRequest, site: Any, code: str, pk: int) -> HttpResponse:
    """Return a thing with its decisions; a decision leads to the next thing of the queue."""
    desk = Desk(request, site, code)
    thing = desk.thing(pk)
    if request.method != "POST":
        if request.GET.get("part") == "list":
            return _list(request, desk, thing)
        return _render(request, desk, thing)
    if not desk.is_waiting(thing):
        outcome = deciding.Outcome(status=409, text=deciding.decided_text(desk.queue, thing))
        return _render(request, desk, thing, outcome)
    key = desk.queue.key_of(thing)
    picked = _picked(request)
    if picked:
        things = desk.queue.things(request.user).filter(pk__in=picked)
        outcome = deciding.decide_several(desk.modeladmin, request, desk.queue, things)
    else:
        outcome = deciding.decide(desk.modeladmin, request, desk.queue, thing)
    if not outcome.is_done:
        thing = desk.thing(pk)
        if outcome.status in (409, 412) and not desk.is_waiting(thing):
            outcome.text = deciding.decided_text(desk.queue, thing)
        return _render(request, desk, thing, outcome)
    review_presence.leave(thing=desk.name_of(thing), user=request.user)
    return _go_on(request, desk, desk.next_after(key), thing, outcome)


def _picked(request: HttpRequest) -> list[int]:
    try:
        return [parse_whole_number(one) for one in request.POST.getlist("picked")]
    except Unreadable as error:
        raise Http404 from error


def _go_on(
    request: HttpRequest, desk: Desk, following: Any, done: Any, outcome: deciding.Outcome
) -> HttpResponse:
    """Show the next thing, with a toast that takes the decision back where that is possible."""
    undo = {}
    if outcome.can_undo:
        undo = {
            "url": reverse("admin:review_undo", args=[desk.queue.code, done.pk]),
            "decision": request.POST["decision"],
        }
    if "HX-Request" in request.headers:
        context = {**desk.context(following, outcome), "undo": undo}
        response = TemplateResponse(request, PANES, context)
        response["HX-Push-Url"] = desk.url(following)
        return response
    if undo:
        request.session["review_undo"] = undo
    messages.success(request, outcome.text)
    return HttpResponseRedirect(desk.url(following))


def undo_page(request: HttpRequest, site: Any, code: str, pk: int) -> HttpResponse:
    """Take a decision back and show the thing again."""
    desk = Desk(request, site, code)
    thing = desk.thing(pk)
    if request.method != "POST":
        return HttpResponseRedirect(desk.url(thing))
    outcome = deciding.take_back(desk.modeladmin, request, desk.queue, thing)
    thing = desk.thing(pk)
    if outcome.is_done and "HX-Request" not in request.headers:
        messages.success(request, outcome.text)
        return HttpResponseRedirect(desk.url(thing))
    return _render(request, desk, thing, outcome)


def presence_page(request: HttpRequest, site: Any, code: str, pk: int) -> HttpResponse:
    """Return who else has the thing open, as a fragment."""
    desk = Desk(request, site, code)
    others = review_presence.look(thing=f"{desk.queue.code}:{pk}", user=request.user)
    return TemplateResponse(request, "admin/review/others.html", {"others": others})
