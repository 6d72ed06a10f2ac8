"""Identifiers as staff see them who may not see personal data: distinguishable, not readable."""

from __future__ import annotations

from systemadmin.foundation.personal_data import PERSONAL, masked_ip

__all__ = ["PERSONAL", "masked", "shown"]


def masked(kind: str, value: str, pk: int) -> str:
    """Return a form of an identifier that names nobody: half an address, or a mere number."""
    if kind == "ip":
        return masked_ip(value)
    return f"{kind} #{pk}"


def shown(kind: str, value: str, pk: int, *, unmasked: bool) -> str:
    """Return the identifier itself for those who may see it, else its masked form."""
    return value if unmasked else masked(kind, value, pk)
