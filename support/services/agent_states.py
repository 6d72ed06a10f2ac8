"""Whether an agent takes tickets, and how many."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from support.models import AgentState
from systemadmin.audited_rows import delete_audited, save_audited
from systemadmin.foundation.concurrency import lock_row
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


@transaction.atomic
def delete_agent_state(*, actor: User, state: AgentState) -> None:
    """Delete it: the agent takes tickets without a limit, as whoever has no row."""
    locked = lock_row(AgentState.objects.all(), pk=state.pk)
    delete_audited(locked, actor=actor, action="support.agent_state.deleted", fields=FIELDS)
