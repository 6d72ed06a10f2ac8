"""Writes of ready-made reasons."""

from typing import Any

from django.db import transaction

from marketplace.models import ReasonTemplate
from systemadmin import audit

FIELDS = ("code", "action", "title", "body", "is_active")


@transaction.atomic
def save_reason_template(
    *, actor: Any, template: ReasonTemplate | None = None, **values: Any
) -> ReasonTemplate:
    """Create or change a reason template."""
    is_new = template is None
    template = template or ReasonTemplate()
    before = {} if is_new else {field: getattr(template, field) for field in FIELDS}
    for field in FIELDS:
        if field in values:
            setattr(template, field, values[field])
    template.full_clean()
    template.save()
    audit.record(
        "marketplace.reason_template." + ("created" if is_new else "updated"),
        actor=actor,
        target=template,
        before=before,
        after={field: getattr(template, field) for field in FIELDS},
    )
    return template


@transaction.atomic
def delete_reason_template(*, actor: Any, template: ReasonTemplate) -> None:
    """Delete a reason template."""
    audit.record(
        "marketplace.reason_template.deleted",
        actor=actor,
        target=template,
        before={field: getattr(template, field) for field in FIELDS},
    )
    template.delete()
