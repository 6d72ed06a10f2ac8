"""Create, change and delete a row of somebody's set-up, with its audit row.

For services whose rule is only "these fields, valid": they lock the row, call one of these, and add
what is theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db import models

from systemadmin import audit
from systemadmin.foundation.models import VersionedModel

ModelT = TypeVar("ModelT", bound=models.Model)


def save_audited(
    row: ModelT,
    values: Mapping[str, Any],
    *,
    actor: Any,
    action: str,
    fields: Sequence[str],
    before_save: Callable[[ModelT], object] = lambda row: None,
    whole: bool = False,
    **audited: Any,
) -> ModelT:
    """Set those of `fields` that `values` has, validate, save, and record old and new values.

    A stored row that has a version gets the next one. `before_save` gets the row with its new
    values; `whole` records the unchanged fields too. Raises Django's `ValidationError`; call it
    inside a transaction.
    """
    is_new = row._state.adding
    named = [name for name in fields if name in values]
    recorded = fields if whole else named
    before = {} if is_new else shown(row, recorded)
    for name in named:
        setattr(row, name, values[name])
    if not is_new and isinstance(row, VersionedModel):
        row.bump()
    before_save(row)
    row.full_clean()
    row.save()
    after = shown(row, recorded)
    audit.record(action, actor=actor, target=row, before=before, after=after, **audited)
    return row


def delete_audited(row: models.Model, *, actor: Any, action: str, fields: Sequence[str]) -> None:
    """Record the row's values and delete it."""
    audit.record(action, actor=actor, target=row, before=shown(row, fields))
    row.delete()


def shown(row: models.Model, fields: Sequence[str]) -> dict[str, Any]:
    """Return the values of those fields."""
    return {name: getattr(row, name) for name in fields}
