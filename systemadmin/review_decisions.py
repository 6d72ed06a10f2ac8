"""What happens when somebody decides at the review desk: form, service, undo."""

from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest
from django.utils.translation import gettext as _

from systemadmin.foundation.admin import object_actions
from systemadmin.foundation.admin.refusals import REFUSALS, refusal_text
from systemadmin.foundation.concurrency import remember_read_version
from systemadmin.foundation.display import display_moment, display_name
from systemadmin.foundation.errors import Deferred, DomainError
from systemadmin.foundation.readable_text import is_visible
from systemadmin.foundation.review_queues import Decision, Queue
from systemadmin.services import approval_texts, approvals

MOST_AT_ONCE: Final = 50


@dataclass(slots=True)
class Choice:
    """A decision that this person may take on this thing, with its form."""

    decision: Decision
    form: Form

    @property
    def fields(self) -> list[Any]:
        """The fields shown beside the reason."""
        return [self.form[name] for name in self.decision.fields]


@dataclass(slots=True)
class Outcome:
    """What became of an attempt: done, to be confirmed, waiting for somebody else, or refused."""

    status: int = 200
    is_done: bool = False
    text: str = ""
    asks: str = ""
    choice: Choice | None = None
    can_undo: bool = False


def choices(modeladmin: Any, request: HttpRequest, queue: Queue, thing: Any) -> list[Choice]:
    """Return what this person may decide about a thing."""
    actions = modeladmin.get_actions(request)
    found = []
    for decision in queue.decisions:
        if decision.action in actions and decision.applies(thing):
            form = object_actions.form_of(actions[decision.action][0])
            found.append(Choice(decision, form(prefix=decision.code)))
    return found


def reason_of(request: HttpRequest, queue: Queue) -> str:
    """Return what was typed with the ready-made reasons that were ticked, each once."""
    typed = request.POST.get("text", "").strip()
    ready = {str(number): str(one.body) for number, one in enumerate(queue.reasons(), start=1)}
    ticked = [ready[one] for one in request.POST.getlist("reason") if one in ready]
    return "\n\n".join([*(body for body in ticked if body not in typed), typed]).strip()


def _bound(request: HttpRequest, queue: Queue, decision: Decision, function: Any) -> Form:
    data = request.POST.copy()
    if decision.text:
        data[f"{decision.code}-{decision.text}"] = reason_of(request, queue)
    for name, value in decision.preset.items():
        data[f"{decision.code}-{name}"] = value
    return object_actions.form_of(function)(data, prefix=decision.code)


def _consequence(decision: Decision, thing: Any, form: Form) -> Any:
    """Return what the decision does, for one to confirm; empty where nothing has to be asked."""
    if decision.consequence and form.is_valid():
        return decision.consequence(thing, form.cleaned_data)
    return ""


def decide(
    modeladmin: Any, request: HttpRequest, queue: Queue, thing: Any, *, was_read: bool = True
) -> Outcome:
    """Take the decision that was posted about a thing, as the action of its page does.

    The version that was read, where it was, is held against the row's. What cannot be undone is
    asked first.
    """
    decision = queue.decision(request.POST.get("decision", ""))
    if decision is None:
        raise PermissionDenied
    function = object_actions.action_of(modeladmin, request, decision.action)
    version = object_actions.version_of(request, "version") if was_read else None
    if version is not None and version != getattr(thing, "version", version):
        text = _("It has changed since you read it. This is what it is now: decide again.")
        return Outcome(status=412, text=text)
    form = _bound(request, queue, decision, function)
    choice = Choice(decision, form)
    if decision.needs_text and not is_visible(reason_of(request, queue)):
        text = _("Give a reason: choose one or write it.")
        return Outcome(status=400, text=text, choice=choice)
    asks = _consequence(decision, thing, form)
    if asks and request.POST.get("confirmed") != decision.code:
        return Outcome(asks=str(asks), choice=choice)
    remember_read_version(thing, version)
    name = name_of(queue, thing)
    return _perform(modeladmin, request, thing, function, choice, name=name, can_undo=not asks)


def _perform(
    modeladmin: Any,
    request: HttpRequest,
    thing: Any,
    function: Any,
    choice: Choice,
    name: str,
    can_undo: bool,
) -> Outcome:
    form, decision = choice.form, choice.decision
    if not form.is_valid():
        return Outcome(status=400, text=_first_error(form), choice=choice)
    try:
        function.one_row.run(modeladmin, request, thing, form.cleaned_data)
    except Deferred as found:
        return _keep(found, form.cleaned_data.get(decision.text, ""), thing, choice)
    except REFUSALS as refusal:
        object_actions.add_refusal(form, refusal)
        status = refusal.status if isinstance(refusal, DomainError) else 400
        return Outcome(status=status, text=refusal_text(refusal), choice=choice)
    text = f"{decision.title}: {name}"
    return Outcome(is_done=True, text=text, can_undo=can_undo and decision.undo is not None)


def _keep(found: Deferred, reason: str, thing: Any, choice: Choice) -> Outcome:
    """Keep a request for a second person with the reason that was typed."""
    try:
        rows = approvals.keep(found, reason)
    except DomainError as refusal:
        return Outcome(status=refusal.status, text=str(refusal), choice=choice)
    texts = " ".join(approval_texts.waiting_text(row) for row in rows)
    return Outcome(is_done=True, text=f"{thing}: {texts}")


def _first_error(form: Form) -> str:
    for name, errors in form.errors.items():
        label = form.fields[name].label if name in form.fields else ""
        return f"{label}: {errors[0]}" if label else str(errors[0])
    return ""


def name_of(queue: Queue, thing: Any) -> str:
    """Return what the list calls a thing: names of people, not numbers of rows."""
    return str(queue.card(thing).title)


def decided_text(queue: Queue, thing: Any) -> str:
    """Return by whom and when a thing was decided that does not wait any more."""
    who, at = queue.decided(thing)
    if who is None or at is None:
        return _("This does not wait any more.")
    moment = display_moment(at)
    return _("Already decided by %(who)s, %(at)s.") % {"who": display_name(who), "at": moment}


def take_back(modeladmin: Any, request: HttpRequest, queue: Queue, thing: Any) -> Outcome:
    """Undo a decision by the service that does the reverse."""
    decision = queue.decision(request.POST.get("decision", ""))
    if decision is None or decision.undo is None:
        raise PermissionDenied
    object_actions.action_of(modeladmin, request, decision.action)
    try:
        decision.undo(actor=request.user, thing=thing)
    except REFUSALS as refusal:
        status = refusal.status if isinstance(refusal, DomainError) else 400
        return Outcome(status=status, text=refusal_text(refusal))
    return Outcome(is_done=True, text=_("Undone: %(what)s") % {"what": name_of(queue, thing)})


def decide_several(modeladmin: Any, request: HttpRequest, queue: Queue, things: Any) -> Outcome:
    """Take one decision about each thing that was ticked; say how many were done and why not."""
    done, refused = 0, []
    for thing in things[:MOST_AT_ONCE]:
        outcome = decide(modeladmin, request, queue, thing, was_read=False)
        if outcome.asks:
            return outcome
        done += outcome.is_done
        if not outcome.is_done:
            refused.append(f"{thing}: {outcome.text}")
    text = _("%(count)d decided.") % {"count": done}
    return Outcome(is_done=bool(done), status=200, text=" ".join([text, *refused]))
