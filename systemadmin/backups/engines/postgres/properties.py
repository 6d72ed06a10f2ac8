"""Properties of a PostgreSQL database that no dump holds, and how two sets of them differ.

`pg_dump` writes them with `--create` only: owner, grants on the database, comment, settings of
the database and of roles in it, connection limit, locale, tablespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

# Parameters whose value is a list of quoted names. Given as one literal the server takes the
# whole list for a single name. The server does not say which they are (pg_dump keeps the same
# list), and extensions cannot add any.
QUOTED_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
# Of these the elements are SQL names: without quotes, case does not count.
NAME_LISTS = frozenset({"search_path", "temp_tablespaces"})


@dataclass(frozen=True, order=True)
class Setting:
    """One `SET` of the database, or of a role in it (`role` is empty for all roles)."""

    role: str
    name: str
    value: str

    def elements(self) -> list[str] | None:
        """Return the elements of a list of quoted names; None for every other parameter."""
        if self.name.lower() not in QUOTED_LISTS:
            return None
        return split_list(self.value, fold=self.name.lower() in NAME_LISTS)

    def meaning(self) -> tuple[str, str, Any]:
        """Return what two equal settings have in common, however their lists are written."""
        elements = self.elements()
        if elements is None:
            return self.role, self.name, self.value
        return self.role, self.name, tuple(element for element in elements if element)


@dataclass(frozen=True, order=True)
class Grant:
    """One privilege on the database; an empty grantee is PUBLIC."""

    grantor: str
    grantee: str
    privilege: str
    with_option: bool


@dataclass(frozen=True)
class Properties:
    """What a database is besides its contents."""

    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str
    icu_rules: str
    tablespace: str
    connection_limit: int
    is_template: bool
    allows_connections: bool
    comment: str
    settings: tuple[Setting, ...]
    grants: tuple[Grant, ...]
    labels: tuple[tuple[str, str], ...]


def split_list(value: str, *, fold: bool) -> list[str]:
    """Split a stored list as the server does: commas outside double quotes, "" for a quote.

    With `fold`, elements without quotes are lower-cased, as SQL does with names.
    """
    if not value.strip():
        return []
    return [_without_quotes(part.strip(), fold=fold) for part in _parts(value)]


def _parts(value: str) -> Iterator[str]:
    start, quoted = 0, False
    for position, character in enumerate(value):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            yield value[start:position]
            start = position + 1
    yield value[start:]


def _without_quotes(part: str, *, fold: bool) -> str:
    if len(part) > 1 and part[0] == part[-1] == '"':
        return part[1:-1].replace('""', '"')
    return part.lower() if fold else part


def differences(wanted: Properties, found: Properties) -> list[str]:
    """Return one sentence for each property that is not as wanted."""
    said = []
    for item in fields(Properties):
        want, have = getattr(wanted, item.name), getattr(found, item.name)
        if item.name == "settings":
            want, have = ({one.meaning() for one in values} for values in (want, have))
        elif isinstance(want, tuple):
            want, have = set(want), set(have)
        if want != have:
            said.append(f"{item.name.replace('_', ' ')}: {_compared(want, have)}")
    return said


def _compared(want: Any, have: Any) -> str:
    if not isinstance(want, set):
        return f"{have!r} instead of {want!r}"
    lacking, extra = sorted(map(str, want - have)), sorted(map(str, have - want))
    said = [f"missing {', '.join(lacking)}"] if lacking else []
    return "; ".join(said + ([f"not wanted {', '.join(extra)}"] if extra else []))


def pack(properties: Properties) -> dict[str, Any]:
    """As JSON for a manifest."""
    return asdict(properties)


def unpack(data: dict[str, Any]) -> Properties:
    """Return what `pack` made; raises KeyError or TypeError when it is something else."""
    return Properties(
        **{
            **data,
            "settings": tuple(Setting(**one) for one in data["settings"]),
            "grants": tuple(Grant(**one) for one in data["grants"]),
            "labels": tuple((provider, label) for provider, label in data["labels"]),
        }
    )
