"""Prepared answers and macros: keeping them, filling them in, applying them."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import override

from support.errors import InUse
from support.models import ReplyTemplate, Ticket
from support.models.tickets import Priority, Status
from support.templating import render_template, unknown_variables
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.display import display_name
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

FIELDS = ("code", "language", "title", "body", "category", "is_active")


@transaction.atomic
def save_template(
    *,
    actor: User,
    template: ReplyTemplate | None = None,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> ReplyTemplate:
    """Create or change a prepared answer; refuses variables that do not exist."""
    if template is None:
        kept = ReplyTemplate()
    else:
        kept = lock_row(
            ReplyTemplate.objects.all(), expected_version=expected_version, pk=template.pk
        )
        kept.bump()
    for name in FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    wrong = unknown_variables(kept.body)
    if wrong:
        raise InvalidInput(
            "body",
            _("Unknown variables: %(names)s") % {"names": ", ".join(wrong)},
            code="unknown_variable",
        )
    kept.full_clean()
    kept.save()
    audit.record("support.template.saved", actor=actor, target=kept, after=dict(values))
    return kept


@transaction.atomic
def delete_template(*, actor: User, template: ReplyTemplate) -> None:
    """Remove a prepared answer; replies made from it keep their text."""
    audit.record("support.template.deleted", actor=actor, target=template)
    try:
        template.delete()
    except ProtectedError:
        raise InUse(_("A macro uses this template. Deactivate it instead.")) from None


def in_language(template: ReplyTemplate, language: str) -> ReplyTemplate:
    """Return the template's sibling in the customer's language, if there is one."""
    if template.language == language:
        return template
    sibling = ReplyTemplate.objects.filter(
        code=template.code, language=language, is_active=True
    ).first()
    return sibling or template


def render_for(*, template: ReplyTemplate, ticket: Ticket, agent: User | None) -> str:
    """Return the template in the customer's language, filled in for this ticket."""
    chosen = in_language(template, ticket.language)
    return render_template(chosen.body, _values(ticket, agent, chosen.language))


def _values(ticket: Ticket, agent: User | None, language: str) -> dict[str, str]:
    person = ticket.requester
    with override(language):
        return {
            "ticket.number": ticket.number,
            "ticket.subject": ticket.subject,
            "ticket.status": str(Status(ticket.status).label),
            "ticket.priority": str(Priority(ticket.priority).label),
            "ticket.category": ticket.category.name_in(language) if ticket.category else "",
            "user.name": ticket.customer_name,
            "user.first_name": person.first_name if person else "",
            "user.username": person.get_username() if person else "",
            "agent.name": display_name(agent) if agent else "",
            "agent.first_name": agent.first_name if agent else "",
            "site.name": "Atalaya",
        }
