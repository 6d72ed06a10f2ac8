"""Whether an agent takes tickets, and how many."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from support.models import AgentState
from systemadmin import audit
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
    changed = [name for name in FIELDS if name in values and (state is None or name != "user")]
    before = {} if state is None else {name: getattr(kept, name) for name in changed}
    for name in changed:
        setattr(kept, name, values[name])
    kept.full_clean()
    kept.save()
    audit.record(
        "support.agent_state.saved",
        actor=actor,
        target=kept,
        before=before,
        after={name: getattr(kept, name) for name in changed},
    )
    return kept


@transaction.atomic
def delete_agent_state(*, actor: User, state: AgentState) -> None:
    """Delete it: the agent takes tickets without a limit, as whoever has no row."""
    locked = lock_row(AgentState.objects.all(), pk=state.pk)
    audit.record(
        "support.agent_state.deleted",
        actor=actor,
        target=locked,
        before={name: getattr(locked, name) for name in FIELDS},
    )
    locked.delete()
