"""How the columns of a file become fields of account events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from riskops.ingest.validate import FIELDS

# What a row of any file may be mapped from besides its columns.
LINE = "@line"


@dataclass(frozen=True, slots=True)
class RowMap:
    """How columns become fields of an event."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field -> column
    constants: Mapping[str, str] = field(default_factory=dict)  # field -> value
    id_prefix: str = ""
    both_ends: bool = False

    def rows(self, number: int, source: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the events that one row of the file stands for."""
        row = dict(self.constants)
        if self.columns:
            for name, column in self.columns.items():
                row[name] = str(number) if column == LINE else source.get(column, "")
        else:
            row.update({name: value for name, value in source.items() if name})
        if not row.get("external_id"):
            row["external_id"] = f"{self.id_prefix}{number}"
        if not self.both_ends:
            return [row]
        return [_end(row, "wallet", "counterparty_wallet", "a"), self._other_end(row)]

    def _other_end(self, row: dict[str, Any]) -> dict[str, Any]:
        return _end(row, "counterparty_wallet", "wallet", "b")


def _end(row: dict[str, Any], own: str, other: str, mark: str) -> dict[str, Any]:
    """Return a transfer as the owner of one of its wallets sees it."""
    return {
        **row,
        "wallet": row.get(own, ""),
        "counterparty_wallet": row.get(other, ""),
        "account_external_id": row.get(own, ""),
        "external_id": f"{row['external_id']}:{mark}",
    }


def parse_pairs(text: str) -> dict[str, str]:
    """`field=column,field=column` as a dictionary; raises ValueError with the reason."""
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(_("Write field=column, not “%(part)s”.") % {"part": part})
        if name not in FIELDS:
            known = ", ".join(sorted(FIELDS))
            raise ValueError(
                _("“%(name)s” is no field of an event; there are: %(known)s.")
                % {"name": name, "known": known}
            )
        pairs[name] = value
    return pairs
