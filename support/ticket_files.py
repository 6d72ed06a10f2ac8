"""Files of tickets: JSON lines with one ticket each, or CSV with one message a row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from support.ticket_layouts import MOST_MESSAGES, Layout
from systemadmin.foundation.row_files import RowReader, is_json_lines
from systemadmin.foundation.text_files import READING_ERRORS

# A ticket with a long conversation is one line.
LONGEST_TICKET: Final = 16 << 20
_PARTS: Final = ("requester", "assignee")


def is_json(path: Path) -> bool:
    """Return whether a file holds JSON lines; reading it will say what is wrong with another."""
    try:
        return is_json_lines(path)
    except (*READING_ERRORS, OSError, ValueError):
        return False


class TicketReader(RowReader):
    """Tickets with the number of their first row.

    Rows of a CSV file that follow each other with the same `external_id` are one ticket; columns
    that begin with `message_` make its messages, those with `requester_` and `assignee_` people.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        super().__init__(path, longest_row=LONGEST_TICKET)
        self._layout = layout

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if is_json(self._path):
            yield from super().__iter__()
            return
        current: tuple[int, dict[str, Any]] | None = None
        for number, row in super().__iter__():
            found = self._nested(row) if isinstance(row, dict) else row
            if current is not None and _belongs(current[1], found):
                # One more than are taken in, so that the ticket is refused and not cut in two.
                if len(current[1]["messages"]) <= MOST_MESSAGES:
                    current[1]["messages"] += found["messages"]
                continue
            if current is not None:
                yield current
            current = None
            if isinstance(found, dict):
                current = (number, found)
            else:
                yield number, found
        if current is not None:
            yield current

    def _nested(self, row: dict[str, Any]) -> dict[str, Any]:
        ticket: dict[str, Any] = {}
        message: dict[str, Any] = {}
        for column, value in row.items():
            if value in (None, ""):
                continue
            name = self._layout.columns.get(column, column)
            part = name.partition("_")[0]
            if name.startswith("message_"):
                message[name.removeprefix("message_")] = value
            elif part in _PARTS and "_" in name:
                ticket.setdefault(part, {})[name.removeprefix(f"{part}_")] = value
            else:
                ticket[name] = value
        if "author" in message:
            message["author"] = {"name": message["author"]}
        for name in [one for one in message if one.startswith("author_")]:
            message.setdefault("author", {})[name.removeprefix("author_")] = message.pop(name)
        ticket["messages"] = [message] if message else []
        return ticket


def _belongs(ticket: dict[str, Any], found: Any) -> bool:
    if not isinstance(found, dict) or found.get("external_id") is None:
        return False
    return bool(found["external_id"] == ticket.get("external_id"))
