"""Whom a decision about messages concerns: the accounts that may not take it themselves."""

from typing import Any

from messaging.models import Message, MessageReport
from messaging.services.reading import other_party


def parties_of_report(*, report: MessageReport, **_rest: Any) -> list[int | None]:
    """Return who reported and who is reported."""
    return [report.reporter_id, report.reported_id]


def parties_of_message(*, message: Message, **_rest: Any) -> list[int | None]:
    """Return who wrote the message and who got it."""
    return [message.sender_id, other_party(message.conversation, message.sender_id)]
