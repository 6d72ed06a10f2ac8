"""Kinds of published events: what the platform can hear of, with the shape of each message.

An app lists its kinds in `published_events.EVENTS`. The foundation collects them for the event
log, for webhooks and for the schema, and knows no app by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rest_framework import serializers

from systemadmin.foundation.plugins import Text, collect

# Ends the names of fields with the platform's own ids of accounts. They are looked up when an
# event is read or sent, so that the log holds no id that the erasure of an account would leave.
EXTERNAL = "_external_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One kind: `says` when it is sent, `payload` declares its data, `example` is valid data.

    `members` names the fields with numbers of accounts, the one whom the event is about first;
    the payload declares `<name>_external_id` for each. An erasure of the first empties `texts`,
    the fields that people wrote.
    """

    name: str
    says: Text
    payload: type[serializers.Serializer]
    example: Mapping[str, Any]
    members: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    stored: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        added = {name + EXTERNAL for name in self.members}
        object.__setattr__(self, "stored", frozenset(self.payload().fields) - added)

    def check(self, data: Mapping[str, Any]) -> None:
        """Raise `ValueError` when data to be stored has other fields than declared."""
        if data.keys() != self.stored:
            odd = ", ".join(sorted(data.keys() ^ self.stored))
            raise ValueError(f"{self.name}: {odd} missing or not declared")

    def accounts(self, data: Mapping[str, Any]) -> list[int | None]:
        """Return the numbers of the accounts in data, two at most are indexed."""
        return [data.get(name) for name in self.members]


@lru_cache(maxsize=1)
def event_kinds() -> dict[str, EventKind]:
    """Return every kind of every app by name, in alphabetical order."""
    kinds: dict[str, EventKind] = {}
    for kind in collect("published_events", "EVENTS"):
        if kind.name in kinds:
            raise ValueError(f"two kinds of events are called {kind.name}")
        kinds[kind.name] = kind
    return dict(sorted(kinds.items()))
