"""Undoing what a colleague did: allowed, with a reason, and the colleague is told."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from systemadmin.foundation.context import current
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import AuditEntry, User
from systemadmin.services.notifications import notify_user


def reason_to_undo(*, actor: User | None, by: User | None, reason: str = "") -> str:
    """Return the reason given, which has to be there where somebody else did it.

    Without one the header `Approval-Reason` counts. Raises `InvalidInput`.
    """
    found = visible_text(reason) or current().stated_reason
    if not found and _is_colleague(actor, by):
        raise InvalidInput(
            "reason", _("A colleague did this. Say why you undo it."), code="required"
        )
    return found[:500]


def notify_undone(
    *, by: User | None, what: Any, values: Mapping[str, str], entry: AuditEntry
) -> None:
    """Tell whoever did something that a colleague undid it; `what` is a text translated late."""
    if by is None or not by.is_acting_staff or by.pk == entry.actor_id:
        return
    with override(by.language):
        body = _("%(what)s\n\nUndone by: %(who)s\nReason: %(reason)s") % {
            "what": str(what) % values,
            "who": entry.actor_name,
            "reason": entry.reason or "–",
        }
        notify_user(
            user=by,
            kind="duties.undone",
            subject=_("A colleague undid what you did"),
            body=body,
            key=f"undone-{entry.pk}",
        )


def _is_colleague(actor: User | None, by: User | None) -> bool:
    return actor is not None and by is not None and by.pk != actor.pk
