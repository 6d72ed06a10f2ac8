"""Identifiers as staff see them who may not see personal data: still told apart, not told."""

from __future__ import annotations

from typing import Final

# Who holds it sees identifiers as they are; everybody else the masked form, with the same evidence.
PERSONAL: Final = "systemadmin.view_personal_data"


def masked(kind: str, value: str, pk: int) -> str:
    """A form of an identifier that names nobody: half an address, or a mere number."""
    if kind == "ip":
        if ":" in value:
            return ":".join(value.split(":")[:2]) + ":…"
        return ".".join(value.split(".")[:2]) + ".x.x"
    return f"{kind} #{pk}"


def shown(kind: str, value: str, pk: int, *, unmasked: bool) -> str:
    """The identifier itself for those who may see it, else its masked form."""
    return value if unmasked else masked(kind, value, pk)
