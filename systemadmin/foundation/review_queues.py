"""Queues of the review desk: what waits for a decision, how it is shown, and what may be decided.

A desk offers a queue with its work list (`worklists.WORKLISTS`, `Worklist.queue`). A decision is an
action of the admin page of the thing's table, so that permission, form and service are that
action's: nothing is decided here that the page of the thing would refuse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

Text = Any  # str or a lazy translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One way to decide: a button and its key.

    `action` names the action of the admin page; `preset` gives fields of its form, `text` is the
    field that takes what is typed as reason, `fields` are shown beside it.
    `consequence(thing, data)` says what will happen with what was filled in, and is asked before;
    empty where `undo(actor=…, thing=…)` can take the decision back. `applies(thing)` tells whether
    it makes sense for the thing.
    """

    code: str
    action: str
    title: Text
    key: str = ""
    tone: str = ""
    icon: str = ""
    preset: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    needs_text: bool = False
    fields: Sequence[str] = ()
    consequence: Callable[[Any, Mapping[str, Any]], Text] | None = None
    undo: Callable[..., Any] | None = None
    for_several: bool = False
    applies: Callable[[Any], bool] = lambda _thing: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A thing in the list: two lines, marks as pairs of tone and word, and since when it waits."""

    title: Text
    line: Text = ""
    marks: Sequence[tuple[str, Text]] = ()
    since: datetime | None = None
    picture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of the thing: facts as pairs of label and value, or a template with its context."""

    title: Text
    rows: Sequence[tuple[Text, Any]] = ()
    template: str = ""
    context: Any = None
    is_aside: bool = False
    link: tuple[Text, str] | None = None
    tone: str = ""
    mark: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A ready-made reason: a word for the button, the text that is sent."""

    title: Text
    body: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Things of one table that wait.

    `rows(user)` gives every thing this person may see, with what a card shows joined; `waiting`
    narrows them to those that wait. `order` is most urgent first and ends with the key.
    `account(thing)` is whose facts stand beside it. `decided(thing)` returns who decided and when.
    """

    code: str
    model: str
    rows: Callable[[Any], QuerySet]
    waiting: Callable[[QuerySet], QuerySet]
    order: Sequence[str]
    card: Callable[[Any], Card]
    decisions: Sequence[Decision]
    panels: Callable[[Any, Any], Sequence[Panel]] = lambda _request, _thing: ()
    account: Callable[[Any], Any] = lambda _thing: None
    shows_page: bool = False
    reasons: Callable[[], Sequence[Reason]] = lambda: ()
    text_label: Text = ""
    decided: Callable[[Any], tuple[Any, datetime | None]] = lambda _thing: (None, None)

    def things(self, user: Any) -> QuerySet:
        """Return what waits, in the order of the queue."""
        return self.waiting(self.rows(user)).order_by(*self.order)

    def decision(self, code: str) -> Decision | None:
        """Return the decision of that name."""
        return next((one for one in self.decisions if one.code == code), None)

    def key_of(self, thing: Any) -> list[Any]:
        """Return where a thing stands in the order."""
        return [getattr(thing, name.lstrip("-")) for name in self.order]

    def after(self, user: Any, key: Sequence[Any]) -> QuerySet:
        """Return what waits behind a place in the order, next first."""
        return self.things(user).filter(_beyond(self.order, key))

    def before(self, user: Any, key: Sequence[Any]) -> QuerySet:
        """Return what waits before a place in the order, nearest first."""
        turned = [name[1:] if name.startswith("-") else f"-{name}" for name in self.order]
        return self.waiting(self.rows(user)).order_by(*turned).filter(_beyond(turned, key))


def _beyond(order: Sequence[str], key: Sequence[Any]) -> Q:
    """Return rows behind a place: equal in the first columns and beyond it in the next."""
    found = Q(pk__in=[])
    if None in key:
        # A thing that no longer waits may have lost its place: the queue starts anew.
        return ~found
    for depth, name in enumerate(order):
        same = {order[i].lstrip("-"): key[i] for i in range(depth)}
        step = "lt" if name.startswith("-") else "gt"
        found |= Q(**same, **{f"{name.lstrip('-')}__{step}": key[depth]})
    return found
