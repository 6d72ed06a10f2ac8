"""Columns that staff without `view_personal_data` see masked, and therefore cannot look through.

A model names such columns in `personal_fields`. The base classes of lists (API) and pages (admin)
keep them out of search, filters, orders and lookups in the address for everybody who sees them
masked: a prefix search alone reads a whole value, letter by letter.
"""

from collections.abc import Iterable
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db import models

PERSONAL: Final = "systemadmin.view_personal_data"


def sees_personal_data(user: Any) -> bool:
    """Return whether this account sees personal data as it is."""
    return bool(user is not None and user.has_perm(PERSONAL))


def personal_fields(model: type[models.Model]) -> tuple[str, ...]:
    """Return the columns of a model that are masked for some."""
    return getattr(model, "personal_fields", ())


def touches_personal_data(model: type[models.Model], path: str) -> bool:
    """Return whether a lookup such as `-account__email__istartswith` reaches a masked column."""
    for part in path.lstrip("-+=^@").split("__"):
        if part in personal_fields(model):
            return True
        try:
            field: Any = model._meta.get_field(part)
        except FieldDoesNotExist:
            return False
        if not field.is_relation or field.related_model is None:
            return False
        model = field.related_model
    return False


def without_personal_data(model: type[models.Model], paths: Iterable[Any]) -> list[Any]:
    """Return the paths that reach no masked column; what is no text stays."""
    return [
        path
        for path in paths
        if not isinstance(path, str) or not touches_personal_data(model, path)
    ]


def masked(value: object) -> str:
    """Return a form that names nobody: of an e-mail address the first letter and the host."""
    name, at, host = str(value or "").partition("@")
    if at:
        return f"{name[:1]}***{at}{host}"
    return "***" if value else ""
