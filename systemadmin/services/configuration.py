"""Changing the settings that staff may change: validated, all or nothing, with history."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.utils import DatabaseError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin import audit
from systemadmin.foundation.configuration import (
    Setting,
    declared_settings,
    forget_stored_values,
    split_values,
)
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.setting_values import read_value
from systemadmin.models import ConfigurationChange, SystemConfig, User
from systemadmin.services import single_person
from systemadmin.services.alerts import raise_alert
from systemadmin.services.demo_limits import check_shared
from systemadmin.services.notifications import notify_superusers
from systemadmin.services.second_person import (
    SINGLE_PERSON,
    Attempt,
    Subject,
    needs_second_person,
)


def stored_values() -> Mapping[str, Any] | None:
    """Return all stored values; None when the database or the table does not answer."""
    try:
        return dict(SystemConfig.objects.values_list("key", "value"))
    except DatabaseError:
        return None


def check_value(declared: Setting, value: Any) -> str | None:
    """Return what is wrong with a value, or None; what passes is what `setting` can read."""
    try:
        read_value(declared, value)
    except Unreadable as error:
        return str(error)
    return None


def settings_in_force() -> list[dict[str, Any]]:
    """Return every setting with value, default, type, bounds and description, by key."""
    stored, _unreadable = split_values(stored_values() or {})
    return [
        {
            "key": key,
            "app": key.partition(".")[0],
            "value": stored.get(key, item.default),
            "default": item.default,
            "type": item.type if isinstance(item.type, str) else item.type.__name__,
            "min": item.min,
            "max": item.max,
            "choices": list(item.choices),
            "description": str(item.description),
            "permission": item.permission,
            "needs_restart": item.needs_restart,
            "is_default": key not in stored,
        }
        for key, item in sorted(declared_settings().items())
    ]


def revert_change(*, actor: User | None, change: ConfigurationChange) -> None:
    """Set the value that was in force before `change`; itself a change with history."""
    reason = _("Change %(id)s taken back.") % {"id": change.pk}
    change_settings(actor=actor, values={change.key: change.old}, reason=reason)


def _weakened(values: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Return the keys whose new value protects less than the one in force."""
    declared = declared_settings()
    return sorted(
        key
        for key in values
        if declared[key].weakens(stored.get(key, declared[key].default), values[key])
    )


def _in_force(**_rest: Any) -> Mapping[str, Any]:
    return split_values(stored_values() or {})[0]


def _needs(attempt: Attempt) -> bool:
    values, actor = attempt.arguments["values"], attempt.actor
    weakened = _weakened(values, attempt.before)
    if weakened == [SINGLE_PERSON] and set(values) == {SINGLE_PERSON}:
        return not single_person.may_switch_on_alone(actor)
    return bool(weakened)


def _subject(attempt: Attempt) -> Subject:
    keys = ", ".join(_weakened(attempt.arguments["values"], attempt.before))
    return Subject(type="setting", id=keys[:200], name=keys[:200])


def _values_now(*, values: Mapping[str, Any], **_rest: Any) -> dict[str, Any]:
    return {key: _in_force().get(key, declared_settings()[key].default) for key in sorted(values)}


def _shown(*, values: Mapping[str, Any], **_rest: Any) -> list[tuple[Any, Any]]:
    now = _values_now(values=values)
    return [(key, f"{now[key]} → {values[key]}") for key in sorted(values)]


@needs_second_person(
    "systemadmin.change_settings",
    kind="settings",
    title=gettext_lazy("Change settings so that they protect less"),
    permission="systemadmin.change_systemconfig",
    rule=gettext_lazy(
        "when a value protects less: something is kept for a shorter time, a limit is raised, a "
        "check is switched off, payouts run by another schedule, or the place has one person"
    ),
    needs=_needs,
    subject=_subject,
    before=_in_force,
    state=_values_now,
    shown=_shown,
    # Who would be alone afterwards, and who not: the other superuser is asked, nobody else.
    superusers_only=lambda *, values, **_rest: bool(values.get(SINGLE_PERSON)),
)
@transaction.atomic
def change_settings(*, actor: User | None, values: Mapping[str, Any], reason: str = "") -> None:
    """Store new values, all or none.

    Raises `InvalidInput` with one error per unknown key or wrong value.
    """
    check_shared(actor)
    reason = reason or current().stated_reason
    declared = declared_settings()
    errors = {key: _("Unknown setting.") for key in values if key not in declared}
    for key in values.keys() - errors.keys():
        wrong = check_value(declared[key], values[key])
        if wrong:
            errors[key] = wrong
    if errors:
        raise InvalidInput(errors)
    _check_permissions(actor, [declared[key] for key in values])
    _check_across(values)
    if SINGLE_PERSON in values:
        single_person.check_switch(actor, bool(values[SINGLE_PERSON]), reason)
    for key, value in sorted(values.items()):
        _store(actor, key, value, declared[key].default, reason)
    transaction.on_commit(forget_stored_values)
    forget_stored_values()


def _check_permissions(actor: User | None, wanted: list[Setting]) -> None:
    missing = sorted(
        {item.key for item in wanted if actor is not None and not actor.has_perm(item.permission)}
    )
    if missing:
        raise NotAllowed(
            _("You may not change: %(keys)s.") % {"keys": ", ".join(missing)},
        )


def _check_across(values: Mapping[str, Any]) -> None:
    """Run the rules that tie settings together, over the values as they would stand."""
    stored, _unreadable = split_values(stored_values() or {})
    would_be = {
        key: values.get(key, stored.get(key, item.default))
        for key, item in declared_settings().items()
    }
    errors: dict[str, str] = {}
    for rule in collect("configuration", "RULES"):
        errors.update(rule(would_be))
    if errors:
        raise InvalidInput(errors, code="cross_field")


def _store(actor: User | None, key: str, value: Any, default: Any, reason: str) -> None:
    row = SystemConfig.objects.filter(key=key).first()
    old = row.value if row else default
    if old == value and type(old) is type(value):
        return
    SystemConfig.objects.update_or_create(key=key, defaults={"value": value})
    change = ConfigurationChange.objects.create(
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
    if key == "audit.retention_days" and value < old:
        _notify_lower_retention(change, reason)
    if key == SINGLE_PERSON:
        single_person.report_switch(change, reason)


def _notify_lower_retention(change: ConfigurationChange, reason: str) -> None:
    """Notify every superuser: the older rows may be about whoever lowers it."""
    values = {"old": change.old, "new": change.new, "actor": change.actor_name, "reason": reason}
    notify_superusers(
        kind="audit.retention_lowered",
        subject=gettext_lazy("The audit trail will be kept for a shorter time"),
        body=gettext_lazy("%(actor)s lowered it from %(old)s to %(new)s days. Reason: %(reason)s"),
        values=values,
        key=f"audit-retention-{change.pk}",
    )
    raise_alert(
        rule="audit.retention_lowered",
        severity="warning",
        summary=gettext_noop("The audit trail will be kept for a shorter time"),
        detail=f"{change.old} -> {change.new}, {change.actor_name}",
        key=str(change.pk),
    )
