"""Macros: an answer and the changes that go with it, in one step."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from support.models import Macro, Reply, Ticket
from support.services import concerned
from support.services.replies import reply_as_staff
from support.services.tickets import lock_ticket, update_ticket
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User
from systemadmin.services.duties import decides

FIELDS = (
    "name",
    "template",
    "is_internal",
    "status",
    "priority",
    "assign",
    "agent",
    "add_tags",
    "is_active",
)


@transaction.atomic
def save_macro(
    *,
    actor: User,
    macro: Macro | None = None,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> Macro:
    """Create or change a macro; refuses one that does nothing."""
    if macro is None:
        kept = Macro()
    else:
        kept = lock_row(Macro.objects.all(), expected_version=expected_version, pk=macro.pk)
        kept.bump()
    for name in FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    if not any((kept.template_id, kept.status, kept.priority, kept.assign, kept.add_tags)):
        raise InvalidInput("", _("A macro must do something."), code="empty_macro")
    if kept.assign == Macro.Assign.AGENT and kept.agent_id is None:
        raise InvalidInput("agent", _("Name the agent."), code="required")
    kept.full_clean()
    kept.save()
    audit.record("support.macro.saved", actor=actor, target=kept, after=dict(values))
    return kept


@decides("support.apply_macro", permission="support.reply_ticket", concerns=concerned.requester)
@transaction.atomic
def apply_macro(*, actor: User, ticket: Ticket, macro: Macro) -> Ticket:
    """Answer and change a ticket as the macro says, all or nothing."""
    # Locked before its tags are read, or two macros at once would undo each other's.
    ticket = lock_ticket(ticket)
    changes = _changes(actor, ticket, macro)
    status = macro.status or None
    if macro.template is not None:
        reply_as_staff(
            actor=actor,
            ticket=ticket,
            template=macro.template,
            internal=macro.is_internal,
            status=status,
            source=Reply.Source.ADMIN,
        )
    elif status:
        changes["status"] = status
    audit.record(
        "support.macro.applied",
        actor=actor,
        target=ticket,
        metadata={"macro": macro.pk, "at": timezone.now()},
    )
    return update_ticket(actor=actor, ticket=ticket, changes=changes)


def _changes(actor: User, ticket: Ticket, macro: Macro) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if macro.priority:
        changes["priority"] = macro.priority
    if macro.assign:
        changes["assignee"] = {
            Macro.Assign.ME: actor,
            Macro.Assign.NOBODY: None,
            Macro.Assign.AGENT: macro.agent,
        }[Macro.Assign(macro.assign)]
    if macro.add_tags:
        changes["tags"] = [*ticket.tags.values_list("name", flat=True), *macro.add_tags]
    return changes
