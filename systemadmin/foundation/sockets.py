"""What desks plug into: modules of a fixed name in every app, found as Django finds admin.py.

An app offers settings (`configuration.SETTINGS`), schedules (`schedules.SCHEDULES`),
roles (`roles.ROLES`, `roles.SERVICE_PERMISSIONS`), figures (`stats.STATS`), checks and metrics
(`status.CHECKS`, `status.METRICS`), demo data (`demo`), account panels (`account.PANELS`) and
work lists (`worklists.WORKLISTS`). The foundation collects them and knows none by name.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from django.conf import settings

from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.setting_values import read_value

logger = logging.getLogger("atalaya.configuration")

Text = Any  # str or a lazy translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that staff change at run time; bounds are inclusive."""

    key: str
    default: Any
    description: Text
    type: type | str = str  # bool, int, float, str, list, "choice", "rate", "timezone"
    min: float | None = None
    max: float | None = None
    choices: Sequence[str] = ()
    permission: str = "systemadmin.change_systemconfig"
    needs_restart: bool = False
    title: Text = ""
    # Raises `Unreadable` for a value of the right type that whoever reads it cannot use.
    check: Callable[[Any], Any] | None = None


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
    """

    kind: str
    words: Callable[[Any], tuple[str, str] | None]


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


@lru_cache(maxsize=1)
def declared_settings() -> dict[str, Setting]:
    """Return every setting by key."""
    return {setting.key: setting for setting in collect("configuration", "SETTINGS")}


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


# -- reading settings ------------------------------------------------------------

StoredValues = Callable[[], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What is stored, as one process last read it."""

    read_at: float
    stored: Mapping[str, Any]
    readable: Mapping[str, Any]
    unreadable: Mapping[str, str]


_read_stored: StoredValues | None = None
_snapshot: _Snapshot | None = None
_snapshot_lock = threading.Lock()


def use_stored_values(reader: StoredValues) -> None:
    """Register the function that reads all stored values (the base app does)."""
    global _read_stored
    _read_stored = reader


def forget_stored_values() -> None:
    """Drop this process's copy, so that the next read sees what was just written."""
    global _snapshot
    _snapshot = None


def _current_snapshot() -> _Snapshot:
    global _snapshot
    snapshot, max_age = _snapshot, settings.CONFIGURATION_MAX_AGE
    now = time.monotonic()
    if snapshot and (max_age is None or now - snapshot.read_at < max_age):
        return snapshot
    values = _read_stored() if _read_stored else None
    if values is None:
        # The database does not answer: what was last in force stays in force.
        values = snapshot.stored if snapshot else {}
    readable, unreadable = split_values(values)
    if unreadable and unreadable != (snapshot.unreadable if snapshot else {}):
        logger.warning(
            "Stored settings cannot be read, their defaults are in force: %s",
            "; ".join(f"{key}: {wrong}" for key, wrong in sorted(unreadable.items())),
        )
    with _snapshot_lock:
        _snapshot = _Snapshot(now, values, readable, unreadable)
        return _snapshot


def split_values(stored: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the stored settings that can be read, and what is wrong with the others, by key."""
    readable: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    declared = declared_settings()
    for key in stored.keys() & declared.keys():
        try:
            readable[key] = read_value(declared[key], stored[key])
        except Unreadable as error:
            unreadable[key] = str(error)
    return readable, unreadable


def setting(key: str) -> Any:
    """Return the value in force of a declared setting.

    A stored value that cannot be read does not count: its default is in force, so that a wrong
    row never stops the request that would repair it. Raises `KeyError` for an undeclared key.
    """
    declared = declared_settings()[key]
    return _current_snapshot().readable.get(key, declared.default)


def unreadable_settings() -> Mapping[str, str]:
    """Return what is wrong with each stored setting that cannot be read, by key."""
    return _current_snapshot().unreadable


def stored_value(key: str, default: Any = None) -> Any:
    """Return a stored value that no app declares as a setting (state shared by processes)."""
    return _current_snapshot().stored.get(key, default)
