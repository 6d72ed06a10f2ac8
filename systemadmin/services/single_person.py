"""A place with one person of staff: when it may be said, and what was done alone since."""

from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin.errors import SuperuserSwitchesPlace
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import AuditEntry, ConfigurationChange, User
from systemadmin.services.alerts import raise_alert
from systemadmin.services.notifications import notify_superusers
from systemadmin.services.second_person import ACTED_ALONE, is_single_person_place

# Whoever took a colleague's rights does not become the only person at once.
_REMOVED_COLLEAGUES: Final = (
    "systemadmin.user.rights_changed",
    "systemadmin.user.suspended",
)
_COOL_DOWN: Final = timedelta(days=7)
_COUNTED: Final = timedelta(days=30)


def may_switch_on_alone(actor: User) -> bool:
    """Return whether no second superuser exists, nor did one a week ago."""
    others = User.objects.staff().filter(is_superuser=True).exclude(pk=actor.pk)
    if not actor.is_demo:
        others = others.filter(is_demo=False)
    return not others.exists() and not _removed_a_superuser(actor)


def _removed_a_superuser(actor: User) -> bool:
    rows = AuditEntry.objects.filter(
        actor=actor,
        action__in=_REMOVED_COLLEAGUES,
        occurred_at__gt=timezone.now() - _COOL_DOWN,
    )
    for action, before, target in rows.values_list("action", "before", "target_id"):
        if action.endswith("rights_changed") and before.get("is_superuser"):
            return True
        if action.endswith("suspended") and _is_superuser(target):
            return True
    return False


def _is_superuser(key: str) -> bool:
    return User.objects.filter(pk=key, is_superuser=True).exists()


def check_switch(actor: User | None, is_single: bool, reason: str) -> None:
    """Raise `SuperuserSwitchesPlace` or, without a reason, `InvalidInput`; anybody switches off."""
    if actor is None or not is_single:
        return
    if not actor.holds_all_rights:
        raise SuperuserSwitchesPlace
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why one person is enough here."), code="required")


def report_switch(change: ConfigurationChange, reason: str) -> None:
    """Alert about the switch and write to every superuser."""
    text = (
        gettext_noop("This place now works with one person")
        if change.new
        else gettext_noop("This place works with two people again")
    )
    raise_alert(
        rule="duties.single_person",
        severity="warning",
        summary=text,
        detail=f"{change.actor_name}: {reason}",
        key=str(change.pk),
    )
    notify_superusers(
        kind="duties.single_person",
        subject=gettext_lazy(text),
        body=gettext_lazy("Switched by %(actor)s. Reason: %(reason)s"),
        values={"actor": change.actor_name, "reason": reason},
        key=f"single-person-{change.pk}",
    )


def acts_done_alone() -> int:
    """Return how many acts one person did alone within 30 days."""
    rows = AuditEntry.objects.filter(action=ACTED_ALONE)
    return rows.filter(occurred_at__gt=timezone.now() - _COUNTED).count()


def status() -> dict[str, Any]:
    """Return the check of the status page."""
    count, is_single = acts_done_alone(), is_single_person_place()
    return {
        "status": "warning" if count else "ok",
        "single_person": is_single,
        "acts_done_alone_30_days": count,
    }
