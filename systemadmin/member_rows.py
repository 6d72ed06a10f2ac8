"""What a row about a member says: read strictly, field by field, without a database.

One reader for the call, the batch and the file. What a row leaves out stays as it is.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin.foundation.parsing import Unreadable, parse_line, parse_moment_or_day
from systemadmin.foundation.references import parse_external_id

_USERNAME: Final = re.compile(r"[\w.@+-]{1,150}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_LANGUAGES: Final = frozenset({"en", "es"})


@dataclass(slots=True)
class MemberRow:
    """One row: the member's external id and what it says, or why it is refused."""

    index: int
    external_id: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    errors: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, name: str, code: str, detail: str) -> None:
        """Note what is wrong with a field."""
        self.errors.append({"field": name, "code": code, "detail": detail})


def _username(value: Any) -> str:
    if isinstance(value, str) and _USERNAME.fullmatch(value):
        return value
    raise Unreadable(_("1 to 150 letters, digits and @ . + - _."))


def _email(value: Any) -> str:
    line = parse_line(value, 254)
    if line:
        try:
            validate_email(line)
        except ValidationError as error:
            raise Unreadable(_("An e-mail address, or nothing.")) from error
    return line


def _name(value: Any) -> str:
    return parse_line(value, 150)


def _country(value: Any) -> str:
    text = value.upper() if isinstance(value, str) else value
    if text == "" or (isinstance(text, str) and _COUNTRY.fullmatch(text)):
        return text
    raise Unreadable(_("A country code of two letters, or nothing."))


def _language(value: Any) -> str:
    if isinstance(value, str) and value in _LANGUAGES:
        return value
    raise Unreadable(_("One of: %(known)s.") % {"known": ", ".join(sorted(_LANGUAGES))})


def _past(value: Any) -> datetime:
    moment = parse_moment_or_day(value)
    if moment > timezone.now():
        raise Unreadable(_("The moment lies in the future."))
    return moment


def _verified(value: Any) -> datetime | None:
    return None if value in (None, "") else _past(value)


# Field of a row -> column of the account and its reader.
FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "username": ("username", _username),
    "email": ("email", _email),
    "first_name": ("first_name", _name),
    "last_name": ("last_name", _name),
    "country": ("country", _country),
    "language": ("language", _language),
    "joined_at": ("date_joined", _past),
    "verified_at": ("verified_at", _verified),
}


def read_row(index: int, source: Any, *, external_id: str | None = None) -> MemberRow:
    """Return what a row says; with `external_id` it comes from the path and not from the row."""
    row = MemberRow(index)
    if not isinstance(source, Mapping):
        row.refuse("", "not_an_object", _("An object with an external_id."))
        return row
    _read_external_id(row, source.get("external_id") if external_id is None else external_id)
    known = FIELDS if external_id is not None else {*FIELDS, "external_id"}
    for name in sorted(str(one)[:100] for one in set(source) - set(known))[:20]:
        row.refuse(name, "unknown_field", _("Unknown field."))
    for name, (column, read) in FIELDS.items():
        if name in source:
            try:
                row.values[column] = read(source[name])
            except Unreadable as error:
                row.refuse(name, error.code, str(error))
    return row


def _read_external_id(row: MemberRow, given: Any) -> None:
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)  # many platforms number their members
    try:
        row.external_id = parse_external_id(given)
    except Unreadable as error:
        row.refuse("external_id", "invalid" if given else "required", str(error))


def usual_username(external_id: str, *, is_taken: bool = False) -> str:
    """Return the user name of a member for whom none is given: the external id where it can be."""
    if _USERNAME.fullmatch(external_id) and not is_taken:
        return external_id
    return "member-" + hashlib.sha256(external_id.encode()).hexdigest()[:20]
