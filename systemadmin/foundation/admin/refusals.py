"""What a service refused, in words for the person at the page."""

from collections import Counter
from typing import Any, Final

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import ProtectedError, RestrictedError
from django.utils.translation import gettext as _

from systemadmin.foundation.errors import DomainError

REFUSALS: Final = (DomainError, ValidationError, ProtectedError, RestrictedError)


def refusal_text(refusal: Exception) -> str:
    """Return what was refused, in one line."""
    if isinstance(refusal, ProtectedError):
        return used_by(refusal.protected_objects)
    if isinstance(refusal, RestrictedError):
        return used_by(refusal.restricted_objects)
    if isinstance(refusal, ValidationError):
        return "; ".join(refusal.messages)
    return str(refusal)


def used_by(rows: Any) -> str:
    """Return a sentence that says what uses the object."""
    counts = Counter(row._meta.verbose_name_plural for row in rows)
    users = ", ".join(f"{count} {name}" for name, count in counts.items())
    return _("It cannot be deleted because it is in use (%(users)s).") % {"users": users}


def add_refusal(form: forms.Form | forms.ModelForm, refusal: Exception) -> None:
    """Put what was refused beside the fields that it names."""
    for name, text in _by_field(refusal):
        form.add_error(name if name in form.fields else None, text)


def names_fields(form: forms.Form, refusal: Exception) -> bool:
    """Return whether all that was refused stands beside fields of the form."""
    return all(name in form.fields for name, _text in _by_field(refusal))


def _by_field(refusal: Exception) -> list[tuple[str, str]]:
    errors = getattr(refusal, "errors", None)
    if errors:
        return [(str(error["field"]), str(error["detail"])) for error in errors]
    if isinstance(refusal, ValidationError) and hasattr(refusal, "error_dict"):
        return [(name, text) for name, texts in refusal.message_dict.items() for text in texts]
    return [(NON_FIELD_ERRORS, refusal_text(refusal))]
