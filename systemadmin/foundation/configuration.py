"""Typed settings that staff change at run time: how apps declare them, how code reads them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

from systemadmin.foundation.parsing import Unreadable, parse_rate
from systemadmin.foundation.plugins import Text, collect
from systemadmin.foundation.setting_values import read_value

logger = logging.getLogger("atalaya.configuration")


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
    # Lower values protect less: one person alone does not set them. By default those that say how
    # long something is kept.
    lowering_needs_second_person: bool | None = None
    # Higher values protect less, or True does; of a rate, more per second.
    raising_needs_second_person: bool = False
    # Of a list: each entry more protects less.
    adding_needs_second_person: bool = False
    # Any other value needs two: nobody can say which protects less.
    changing_needs_second_person: bool = False
    # 0 stands for "without end". By default so where it keeps something for ever.
    zero_is_endless: bool | None = None

    @property
    def is_guarded(self) -> bool:
        """True when some change of the value needs a second person."""
        return self._guards_lowering() or (
            self.raising_needs_second_person
            or self.adding_needs_second_person
            or self.changing_needs_second_person
        )

    def weakens(self, old: Any, new: Any) -> bool:
        """Return whether a new value protects less than the old one, as the setting says."""
        if self.changing_needs_second_person:
            return bool(new != old)
        if self.adding_needs_second_person:
            return not set(new) <= set(old)
        if self.raising_needs_second_person and self._size(new) > self._size(old):
            return True
        return self._guards_lowering() and self._size(new) < self._size(old)

    def _guards_lowering(self) -> bool:
        if self.lowering_needs_second_person is not None:
            return self.lowering_needs_second_person
        return "retention" in self.key or ".keep_" in self.key

    def _size(self, value: Any) -> float:
        """Return a value as a number; 0 is without end where the setting says so."""
        if self.type == "rate":
            count, seconds = parse_rate(value)
            return count / seconds
        is_endless = self.zero_is_endless
        if is_endless is None:
            is_endless = self.min == 0 and "retention" in self.key
        return float("inf") if value == 0 and is_endless else float(value)


@lru_cache(maxsize=1)
def declared_settings() -> dict[str, Setting]:
    """Return every setting by key."""
    return {setting.key: setting for setting in collect("configuration", "SETTINGS")}


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


def _warn_of_unreadable(unreadable: Mapping[str, str]) -> None:
    if unreadable:
        logger.warning(
            "Stored settings cannot be read, their defaults are in force: %s",
            "; ".join(f"{key}: {wrong}" for key, wrong in sorted(unreadable.items())),
        )


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
    if unreadable != (snapshot.unreadable if snapshot else {}):
        _warn_of_unreadable(unreadable)
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
