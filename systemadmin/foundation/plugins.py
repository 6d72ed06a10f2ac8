"""Extension points: modules with a fixed name that every app may have, found like `admin.py`.

An app offers settings (`configuration.SETTINGS`), schedules (`schedules.SCHEDULES`),
roles (`roles.ROLES`, `roles.SERVICE_PERMISSIONS`), figures (`stats.STATS`), checks and metrics
(`status.CHECKS`, `status.METRICS`), demo data (`demo`), account panels (`account.PANELS`) and
work lists (`worklists.WORKLISTS`). The foundation collects them and knows no app by name.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCheck:
    """A check of the status page: `run()` returns a dict with `status` and details."""

    name: str
    run: Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number for Prometheus and for alert rules."""

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
class Worklist:
    """A queue of work on the admin home: how many wait, and where to go."""

    title: Text
    permission: str
    count: Callable[[Any], int]
    url: Callable[[], str]
    order: int = 100


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
