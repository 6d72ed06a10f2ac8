"""Naming an object: by its own id or, as `ext:…`, by the id that the platform gave it.

One way for every path, field and filter: `42` or `ext:u-1001`.
"""

from collections.abc import Collection
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.translation import gettext as _

from systemadmin.foundation.parsing import Unreadable, is_one_line, parse_whole_number

PREFIX: Final = "ext:"
LONGEST_EXTERNAL_ID: Final = 128
# No row has this id: what an unknown external id stands for, so that it is treated as any other id
# that nobody has.
NOBODY: Final = 0
ID_REGEX: Final = "[1-9][0-9]{0,17}"
REFERENCE_REGEX: Final = f"{ID_REGEX}|{PREFIX}[^/]{{1,{LONGEST_EXTERNAL_ID}}}"
SCHEMA: Final[dict[str, Any]] = {
    "oneOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": f"^{PREFIX}.{{1,{LONGEST_EXTERNAL_ID}}}$"},
    ],
    "description": "Our id, or `ext:` and the platform's own id.",
}


def parse_external_id(text: Any) -> str:
    """Return an id of the platform: one line of 1 to 128 characters without spaces around it."""
    if (
        isinstance(text, str)
        and 0 < len(text) <= LONGEST_EXTERNAL_ID
        and text == text.strip()
        and is_one_line(text)
    ):
        return text
    raise Unreadable(
        _("One line of 1 to %(longest)s characters without spaces around it.")
        % {"longest": LONGEST_EXTERNAL_ID}
    )


def parse_reference(value: Any) -> int | str:
    """Return our id as a number, or the platform's id as a text without its `ext:`."""
    if isinstance(value, str) and value.startswith(PREFIX):
        return parse_external_id(value.removeprefix(PREFIX))
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    try:
        return parse_whole_number(value, 0)
    except Unreadable as error:
        raise Unreadable(_("An id, or ext: and the platform's own id.")) from error


def key_of(reference: int | str, model: type[models.Model] | None = None) -> int:
    """Return the id that a reference stands for; `NOBODY` where no row has that external id.

    Without a model it is an account's. A number is not looked up.
    """
    if isinstance(reference, int):
        return reference
    rows = (model or get_user_model())._base_manager.filter(external_id=reference)
    return rows.values_list("pk", flat=True).first() or NOBODY


def keys_of(references: Collection[int | str], model: type[models.Model]) -> dict[int | str, int]:
    """Return the id behind each reference, in one query; `NOBODY` where there is none."""
    texts = {one for one in references if isinstance(one, str)}
    found: dict[int | str, int] = dict.fromkeys(texts, NOBODY)
    if texts and has_external_id(model):
        rows = model._base_manager.filter(external_id__in=texts)
        found |= dict(rows.values_list("external_id", "pk"))
    return found | {one: one for one in references if isinstance(one, int)}


def has_external_id(model: type[models.Model]) -> bool:
    """Return whether rows of a model carry an id of the platform."""
    try:
        model._meta.get_field("external_id")
    except FieldDoesNotExist:
        return False
    return True
