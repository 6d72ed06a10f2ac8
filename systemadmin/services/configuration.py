"""Changing the settings that staff may change: validated, all or nothing, with history."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.utils import DatabaseError
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.sockets import (
    Setting,
    declared_settings,
    forget_stored_values,
)
from systemadmin.models import ConfigurationChange, SystemConfig, User

RATE_PERIODS = "smhd"


def stored_values() -> Mapping[str, Any]:
    """Return all stored values; empty while the table does not exist yet."""
    try:
        with transaction.atomic():
            return dict(SystemConfig.objects.values_list("key", "value"))
    except DatabaseError:
        return {}


def check_value(declared: Setting, value: Any) -> str | None:
    """Return what is wrong with a value, or None."""
    kind = declared.type
    if kind is bool:
        return None if isinstance(value, bool) else _("True or false.")
    if kind in (int, float):
        allowed = (int,) if kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            return _("A number.") if kind is float else _("A whole number.")
        return _check_bounds(declared, value)
    if kind is list:
        return None if isinstance(value, list) else _("A list.")
    if not isinstance(value, str):
        return _("A text.")
    if kind == "rate":
        number, _slash, period = value.partition("/")
        if not (number.isdigit() and int(number) > 0 and len(period) == 1):
            return _("A rate such as 100/m.")
        return None if period in RATE_PERIODS else _("A rate such as 100/m.")
    if declared.choices and value not in declared.choices:
        return _("One of: %(choices)s.") % {"choices": ", ".join(declared.choices)}
    return _check_bounds(declared, len(value))


def _check_bounds(declared: Setting, size: float) -> str | None:
    if declared.min is not None and size < declared.min:
        return _("At least %(bound)s.") % {"bound": declared.min}
    if declared.max is not None and size > declared.max:
        return _("At most %(bound)s.") % {"bound": declared.max}
    return None


@transaction.atomic
def change_settings(*, actor: User | None, values: Mapping[str, Any], reason: str = "") -> None:
    """Store new values, all or none.

    Raises `InvalidInput` with one error per unknown key or wrong value.
    """
    declared = declared_settings()
    errors = {key: _("Unknown setting.") for key in values if key not in declared}
    for key in values.keys() - errors.keys():
        wrong = check_value(declared[key], values[key])
        if wrong:
            errors[key] = wrong
    if errors:
        raise InvalidInput(errors)
    for key, value in sorted(values.items()):
        _store(actor, key, value, declared[key].default, reason)
    transaction.on_commit(forget_stored_values)
    forget_stored_values()


def _store(actor: User | None, key: str, value: Any, default: Any, reason: str) -> None:
    row = SystemConfig.objects.filter(key=key).first()
    old = row.value if row else default
    if old == value and type(old) is type(value):
        return
    SystemConfig.objects.update_or_create(key=key, defaults={"value": value})
    ConfigurationChange.objects.create(
        key=key,
        old=old,
        new=value,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        reason=reason,
    )
    audit.record(
        "systemadmin.config.changed",
        actor=actor,
        before={key: old},
        after={key: value},
        reason=reason,
    )
