"""What a decision is about: the version of the object, or a digest of it, to see it change."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from django.apps import apps
from django.db.models import Model

from systemadmin.services.second_person import GuardedAct

# Values that change without anybody's decision.
_NOISE: Final = frozenset({"last_login", "password", "updated_at", "last_value", "breached_since"})


def state_of(act: GuardedAct, kind: str, key: str, arguments: Mapping[str, Any]) -> str:
    """Return the version of the object, or a digest of what the decision is about."""
    if act.state is not None:
        return _digest(act.state(**arguments))
    row = subject_row(kind, key)
    if row is None:
        return ""
    version = getattr(row, "version", None)
    if version is not None:
        return f"version {version}"
    fields = [field for field in row._meta.concrete_fields if field.attname not in _NOISE]
    return _digest({field.attname: str(getattr(row, field.attname)) for field in fields})


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def subject_row(kind: str, key: str) -> Model | None:
    """Return the row that a request is about, if there is one."""
    if "." not in kind:
        return None
    return apps.get_model(kind)._base_manager.filter(pk=key).first()
