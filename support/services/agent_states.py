"""Whether an agent takes tickets, and how many."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction
from django.utils.translation import gettext as _

from support.models import AgentState
from systemadmin import audit
from systemadmin.audited_rows import delete_audited, save_audited
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

FIELDS = ("user", "is_available", "capacity")


@transaction.atomic
def save_agent_state(
    *, actor: User, state: AgentState | None = None, values: Mapping[str, Any]
) -> AgentState:
    """Create or change what an agent takes; the agent of a stored row stays the same.

    Raises Django's `ValidationError`.
    """
    kept = AgentState() if state is None else lock_row(AgentState.objects.all(), pk=state.pk)
    return save_audited(
        kept,
        values,
        actor=actor,
        action="support.agent_state.saved",
        fields=FIELDS if state is None else FIELDS[1:],
    )


def time_zone_of(user: User) -> str:
    """Return the zone that this member of staff chose for reports; empty: the place's."""
    chosen = AgentState.objects.filter(user=user).values_list("time_zone", flat=True)
    return chosen.first() or ""


@transaction.atomic
def choose_time_zone(*, actor: User, name: str) -> None:
    """Choose whose days one's reports show; empty is the place's; raises `InvalidInput`."""
    if name and name not in available_timezones():
        raise InvalidInput("time_zone", _("Unknown time zone."))
    AgentState.objects.update_or_create(user=actor, defaults={"time_zone": name})
    audit.record("support.time_zone.chosen", actor=actor, target=actor, after={"time_zone": name})


@transaction.atomic
def delete_agent_state(*, actor: User, state: AgentState) -> None:
    """Delete it: the agent takes tickets without a limit, as whoever has no row."""
    locked = lock_row(AgentState.objects.all(), pk=state.pk)
    delete_audited(locked, actor=actor, action="support.agent_state.deleted", fields=FIELDS)
