"""Stored files whose rows are pruned: noted with the deletion, removed after it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.db import transaction
from django.db.models import FileField, QuerySet
from django.utils import timezone

from systemadmin.foundation.batches import Batch
from systemadmin.foundation.retention import Rows, Table
from systemadmin.models import PrunedFile

FILES = Batch("systemadmin.pruned_files", is_atomic=False)
# What a run noted itself it deletes at once; older rows are those of a run that was killed.
_CHUNK: Final = 500


def note_files(table: Table, rule: Rows, keys: Sequence[Any]) -> None:
    """Note the files of rows that are about to be deleted, in the same transaction."""
    rows = table.model_class._base_manager.filter(pk__in=keys)
    for path in rule.files:
        lookup, _dot, field = path.rpartition(".")
        model = apps.get_model(lookup) if lookup else table.model_class
        owned = rows if not lookup else _children(model, rows)
        names = owned.exclude(**{field: ""}).values_list(field, flat=True)
        label = f"{model._meta.label}.{field}"
        PrunedFile.objects.bulk_create(
            [PrunedFile(field=label, name=name) for name in names if name]
        )


def _children(model: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows of another table that go with these, along its foreign keys."""
    path = _path(model, rows.model)
    return model._base_manager.filter(**{f"{path}__in": rows.values("pk")})


def _path(model: Any, target: Any) -> str:
    for field in model._meta.concrete_fields:
        if field.is_relation and field.related_model is target:
            return str(field.name)
    for field in model._meta.concrete_fields:
        if field.is_relation and field.remote_field.on_delete.__name__ == "CASCADE":
            return f"{field.name}__{_path(field.related_model, target)}"
    raise LookupError(f"{model._meta.label} does not go with {target._meta.label}")


def delete_files() -> int:
    """Delete the noted files; returns how many. One that cannot be deleted stops no other."""
    if transaction.get_connection().in_atomic_block:
        # A caller's transaction may still bring the rows back.
        transaction.on_commit(_delete_noted)
        return 0
    return _delete_noted()


def _delete_noted() -> int:
    deleted = 0
    while keys := FILES.due(PrunedFile.objects.order_by("pk"), _CHUNK):
        done = FILES.each(keys, _delete)
        deleted += len(done)
        if len(done) < len(keys):
            break
    return deleted


def _delete(key: int) -> int:
    row = PrunedFile.objects.filter(pk=key).first()
    if row is None:
        return 0
    label, _dot, field = row.field.rpartition(".")
    found = apps.get_model(label)._meta.get_field(field)
    if isinstance(found, FileField):
        found.storage.delete(row.name)
    row.delete()
    return 1


def forget_after() -> timedelta:
    """Return how long a noted file may wait before the status page warns."""
    return timedelta(days=2)


def files_waiting() -> int:
    """Return how many files should have been deleted by now."""
    return PrunedFile.objects.filter(created_at__lt=timezone.now() - forget_after()).count()
