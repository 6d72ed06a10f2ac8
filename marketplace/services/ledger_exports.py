"""Exports of the ledger are on record: they hold everybody's money."""

from typing import Any

from systemadmin import audit
from systemadmin.models import User


def note_export(*, actor: User, kind: str, query: dict[str, Any]) -> None:
    """Record who takes which part of the ledger, and in which format."""
    audit.record(
        "marketplace.ledger.exported", actor=actor, metadata={"format": kind, "query": query}
    )
