"""Extension points: modules with a fixed name that every app may have, found like `admin.py`.

An app offers settings in `configuration.SETTINGS`, schedules in `schedules.SCHEDULES` and so on.
docs/architecture.md lists every such module and what it offers; a test compares that list with the
code. The foundation collects the modules and knows no app by name.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from django.conf import settings
from django.urls import reverse

from systemadmin.foundation.review_queues import Queue
from systemadmin.foundation.waiting import count_up_to

Text = Any  # str or a lazy translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Work that runs by the clock: every `minutes`, or by `cron`.

    `batches` names the batches and outboxes it works through row by row, so that a row that raises
    stops no other. Work that has no rows says in `whole` why it is one piece.
    """

    name: str
    task: str
    minutes: int | None = None
    cron: str | None = None
    cluster: str = "default"
    batches: Sequence[str] = ()
    whole: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """A figure: `compute(start, end)` and, optionally, its series over time."""

    code: str
    title: Text
    section: str
    compute: Callable[[datetime, datetime], Any]
    series: Callable[[datetime, datetime, str, Any], list[tuple[datetime, Any]]] | None = None
    unit: str = "count"
    # How things stand now, whatever the time asked for: it has nothing before to be compared with.
    is_of_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCheck:
    """A check of the status page: `run()` returns a dict with `status` and details."""

    name: str
    run: Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number for Prometheus and for alert rules; `help` is an English text of the catalogue."""

    name: str
    help: str
    read: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPanel:
    """A desk's corner on the account page: `summary(user)` -> [(label, value, url|None)]."""

    title: Text
    permission: str
    summary: Callable[[Any], list[tuple[Any, Any, str | None]]]
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealing:
    """Something that an account took part in, as another desk shows it in a few lines.

    `is_named` where the words that were searched name it; `acts` are (text, address).
    """

    title: str
    url: str
    state: Text
    tone: str = ""
    amount: str = ""
    rows: Sequence[tuple[Text, Any]] = ()
    acts: Sequence[tuple[Text, str]] = ()
    is_named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDealings:
    """What a desk knows an account to have taken part in: those that a text names, or the newest.

    `find(account, text, viewer)`; a fixed number of queries.
    """

    title: Text
    named_title: Text
    icon: str
    permission: str
    find: Callable[[Any, str, Any], list[Dealing]]
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAct:
    """Something that staff may begin for an account; `address(account, about)` has its subject."""

    title: Text
    icon: str
    permission: str
    address: Callable[[Any, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPage:
    """A page of a desk that lists no table: `view` is its address by name."""

    title: Text
    view: str
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A place on the rail of the admin: an icon, a word, and the pages behind them.

    `models` are labels of apps or of single models (`systemadmin.user`), whose lists belong to it.
    The rail leads to `start`, the name of an address, or to the first page that one may open.
    """

    code: str
    title: Text
    icon: str
    order: int
    models: Sequence[str]
    start: str = ""
    pages: Sequence[DeskPage] = ()
    key: str = ""  # after G, on the keyboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a queue on the home page: what it is, since when, how bad.

    `level` is low, medium, high or critical, with its word; `due` stands in place of the age.
    """

    title: Text
    url: str
    text: Text = ""
    at: datetime | None = None
    due: datetime | None = None
    level: str = ""
    level_title: Text = ""
    badge: Text = ""
    account: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that the search of the admin found."""

    title: Text
    url: str
    text: Text = ""
    badge: Text = ""
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSource:
    """What a desk lets people search: `find(user, text, limit)`, the newest first.

    `text` is stripped and at most 100 characters. A source reads by indexes, no more rows than
    `limit`, only what the user may see, and never by a value that is masked for this user.
    """

    code: str
    title: Text
    permission: str
    icon: str
    find: Callable[[Any, str, int], list[Hit]]
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Worklist:
    """A queue of work: what waits for a person, most urgent first, and where to go.

    `added` names the column of the moment since when a row waits. The rail adds up the lists of a
    desk that do not overlap (`is_on_rail`); rows of an urgent one turn its count red. What
    `is_personal` is not the same for everybody who may see it. With `queue` the review desk shows
    one thing after the other with its decisions. `complete(rows, user)` reads at once what the
    lines of some rows say besides.
    """

    code: str
    title: Text
    permission: str
    rows: Callable[[Any], Any]
    url: Callable[[], str]
    added: str
    line: Callable[[Any], Line]
    icon: str = "inbox"
    order: int = 100
    is_urgent: bool = False
    is_personal: bool = False
    is_on_rail: bool = True
    queue: Queue | None = None
    complete: Callable[[list[Any], Any], Any] | None = None

    def lines(self, user: Any, most: int) -> list[tuple[Any, Line]]:
        """Return the first rows, each with its line."""
        rows = list(self.rows(user)[:most])
        if self.complete is not None:
            self.complete(rows, user)
        return [(row, self.line(row)) for row in rows]

    def count(self, user: Any) -> int:
        """Return how many wait, a thousand at most."""
        return count_up_to(self.rows(user))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A kind of notice that is written again when it is sent, so that it is true by then.

    `words` gives subject and body for an account, or None when there is nothing to say any more.
    What is secret is sent and not stored.
    """

    kind: str
    words: Callable[[Any], tuple[str, str] | None]
    is_secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Something of staff's that an account has: `count(user)` of it, and how to take it away.

    `release(actor=…, user=…, successor=…)` hands it to the successor or, without one, gives it
    back to everybody. None: it goes with the rights.
    """

    code: str
    title: Text
    count: Callable[[Any], int]
    release: Callable[..., None] | None = None


@dataclass(slots=True, kw_only=True)
class DemoWorld:
    """What demo seeding hands to every desk, in floor order; the generator is seeded."""

    rng: random.Random
    now: datetime
    members: list[Any] = field(default_factory=list)
    staff: dict[str, Any] = field(default_factory=dict)


def modules(name: str) -> Iterator[ModuleType]:
    """Yield the module called `name` of every app that has one, lowest floor first."""
    for app in settings.ATALAYA_APPS:
        path = f"{app}.{name}"
        if find_spec(path) is not None:
            yield import_module(path)


def collect(module: str, attribute: str) -> list[Any]:
    """Return the concatenated lists that apps offer as `module.attribute`."""
    return [item for found in modules(module) for item in getattr(found, attribute, [])]


def account_panels(user: Any, account: Any) -> list[dict[str, Any]]:
    """Return what the desks know about an account, as far as this user may see it."""
    found = sorted(collect("account", "PANELS"), key=lambda panel: panel.order)
    return [
        {"title": panel.title, "rows": panel.summary(account)}
        for panel in found
        if user.has_perm(panel.permission)
    ]


def account_dealings(user: Any, account: Any, text: str) -> list[dict[str, Any]]:
    """Return what an account took part in that a text may be about, as far as this user may see."""
    shown = []
    for kind in sorted(collect("account", "DEALINGS"), key=lambda kind: kind.order):
        if not user.has_perm(kind.permission):
            continue
        found = kind.find(account, text, user)
        if found:
            title = kind.named_title if found[0].is_named else kind.title
            shown.append({"title": title, "icon": kind.icon, "dealings": found})
    return shown


def account_acts(user: Any, account: Any, about: str) -> list[dict[str, Any]]:
    """Return what this user may begin for an account, each with its address."""
    return [
        {"title": act.title, "icon": act.icon, "url": act.address(account, about)}
        for act in collect("account", "ACTS")
        if user.has_perm(act.permission)
    ]


def person_view(user: Any) -> str:
    """Return the name of the fullest page of an account that this user may open, or nothing."""
    pages = reversed(collect("search_sources", "PERSON_PAGES"))
    return next((view for view, permission in pages if user.has_perm(permission)), "")


def person_page(user: Any, account_id: int) -> str:
    """Return the address of an account's page for this user, or nothing."""
    view = person_view(user)
    return reverse(view, args=[account_id]) if view else ""


def role_permissions() -> dict[str, set[str]]:
    """Return what each shipped role may, merged over all apps."""
    roles: dict[str, set[str]] = {}
    for found in modules("roles"):
        for role, permissions in found.ROLES.items():
            roles.setdefault(role, set()).update(permissions)
    return roles


@lru_cache(maxsize=1)
def service_permissions() -> frozenset[str]:
    """Return the permissions that an account which is not staff may hold directly."""
    return frozenset(collect("roles", "SERVICE_PERMISSIONS"))
