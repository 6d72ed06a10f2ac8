"""Whom a decision of the desk concerns: the accounts that may not take it themselves."""

from typing import Any

from support.models import Ticket


def requester(*, ticket: Ticket, **_rest: Any) -> list[int | None]:
    """Return who asked; None for somebody without an account."""
    return [ticket.requester_id]


def both_requesters(*, source: Ticket, into: Ticket, **_rest: Any) -> list[int | None]:
    """Return who asked in either ticket."""
    return [source.requester_id, into.requester_id]


def either(*, ticket: Ticket, other: Ticket, **_rest: Any) -> list[int | None]:
    """Return who asked in either of two tickets that belong together."""
    return [ticket.requester_id, other.requester_id]


def answering_agent(*, ticket: Ticket, **_rest: Any) -> list[int | None]:
    """Return whose work a rating judges."""
    return [ticket.assignee_id]
