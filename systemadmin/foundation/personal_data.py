"""What is about people: columns that some staff see masked, and what each table does with it.

Columns that staff without `view_personal_data` see masked they cannot look through either.

A model names such columns in `personal_fields`. The base classes of lists (API) and pages (admin)
keep them out of search, filters, orders and lookups in the address for everybody who sees them
masked: a prefix search alone reads a whole value, letter by letter.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

PERSONAL: Final = "systemadmin.view_personal_data"
_PERSONAL_NAMES: Final = frozenset(
    {"email", "telegram_chat_id", "first_name", "last_name", "external_id", "address", "ip"}
    | {"sender", "reply_to", "recipient", "requester_email", "requester_name", "phone"}
)
_ADDRESS: Final = re.compile(r"[^\s@<>\"',;:()]{1,64}@[^\s@<>\"',;:()]{1,255}")
# Stands where a text of an erased account has to be something.
ERASED: Final = "[erased]"


class OnErasure(Enum):
    """What the erasure of an account does to its rows in a table."""

    DELETE = "delete"
    ANONYMISE = "anonymise"
    KEEP = "keep"

    @property
    def title(self) -> Any:
        """What happens, for people."""
        return _TITLES[self.value]


_TITLES: Final = {
    "delete": _("deleted"),
    "anonymise": _("made anonymous"),
    "keep": _("kept"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file column and the columns that describe it."""

    file: str
    content_type: str
    size: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalTable:
    """What a table holds about a person, what an export gives and what erasure does.

    Apps list theirs in `personal_data.TABLES`, in the order in which erasure goes through them.
    `rows(account)` is the condition for the rows of an account that erasure treats; `exported` the
    one for rows that the account may have a copy of, where that differs. `columns` are exported;
    none needs `not_exported`, the reason. `emptied` are the columns that anonymising sets, by value
    or expression. `reason` says why rows stay.
    """

    model: type[models.Model]
    rows: Callable[[Any], Q]
    on_erasure: OnErasure
    columns: tuple[str, ...] = ()
    exported: Callable[[Any], Q] | None = None
    not_exported: str = ""
    emptied: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    files: tuple[StoredFile, ...] = ()
    # Where rows alone do not say it: erases a chunk and returns how many rows that were.
    erase: Callable[[Any], int] | None = None

    @property
    def name(self) -> str:
        """The table's name in exports and reports: `app.Model`."""
        return str(self.model._meta.label)

    @property
    def title(self) -> str:
        """The table's name for people."""
        return str(self.model._meta.verbose_name_plural)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedPart:
    """Something of an account that is erased by itself while the account goes on.

    `erase(account)` erases it again in a database that a restore brought back.
    """

    code: str
    erase: Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBusiness:
    """What has to be settled before an account is erased: `count(account)` of it.

    Apps list theirs in `personal_data.OPEN_BUSINESS`.
    """

    code: str
    title: Any
    count: Callable[[Any], int]


def sees_personal_data(user: Any) -> bool:
    """Return whether this account sees personal data as it is."""
    return bool(user is not None and user.has_perm(PERSONAL))


def personal_texts(model: type[models.Model]) -> tuple[str, ...]:
    """Return the columns whose texts may mention people: these mentions are masked for some."""
    return getattr(model, "personal_texts", ())


def personal_fields(model: type[models.Model]) -> tuple[str, ...]:
    """Return the columns of a model that are masked for some."""
    return getattr(model, "personal_fields", ())


def touches_personal_data(model: type[models.Model], path: str) -> bool:
    """Return whether a lookup such as `-account__email__istartswith` reaches a masked column."""
    for part in path.lstrip("-+=^@").split("__"):
        if part in personal_fields(model) or part in personal_texts(model):
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
    """Return a form that names nobody: half of an address, "***" for anything else."""
    text = str(value or "")
    name, at, host = text.partition("@")
    if at:
        return f"{name[:1]}***{at}{host}"
    if is_ip(text):
        return masked_ip(text)
    return "***" if value else ""


def is_ip(text: str) -> bool:
    """Return whether a text is an IP address and nothing else."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def masked_ip(address: str) -> str:
    """Return the first half of an IP address: whose network, and not who."""
    if ":" in address:
        return ":".join(address.split(":")[:2]) + ":…"
    return ".".join(address.split(".")[:2]) + ".x.x"


def masked_texts(value: Any, name: str = "") -> Any:
    """Return texts, also within JSON, with what is about people masked and the rest as it is.

    Values under a name that stands for a person, e-mail addresses and IP addresses are masked.
    """
    if isinstance(value, Mapping):
        return {key: masked_texts(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_texts(item, name) for item in value]
    if not isinstance(value, str):
        return masked(value) if name in _PERSONAL_NAMES and value is not None else value
    if name in _PERSONAL_NAMES or is_ip(value):
        return masked(value)
    return _ADDRESS.sub(lambda found: masked(found[0]), value)
