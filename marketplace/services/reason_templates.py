"""Writes of ready-made reasons."""

from typing import Any

from django.db import transaction

from marketplace.models import ReasonTemplate
from systemadmin.audited_rows import delete_audited, save_audited

FIELDS = ("code", "action", "title", "body", "is_active")


@transaction.atomic
def save_reason_template(
    *, actor: Any, template: ReasonTemplate | None = None, **values: Any
) -> ReasonTemplate:
    """Create or change a reason template."""
    action = "created" if template is None else "updated"
    return save_audited(
        template or ReasonTemplate(),
        values,
        actor=actor,
        action=f"marketplace.reason_template.{action}",
        fields=FIELDS,
        whole=True,
    )


@transaction.atomic
def delete_reason_template(*, actor: Any, template: ReasonTemplate) -> None:
    """Delete a reason template."""
    delete_audited(
        template, actor=actor, action="marketplace.reason_template.deleted", fields=FIELDS
    )
