"""Server-sent events on the wire, and the cursor a client resumes from. No database."""

from __future__ import annotations

import json
from typing import Any

from systemadmin.foundation.parsing import parse_whole_number

CONTENT_TYPE = "text/event-stream"
# Positions are handed out by a 64-bit counter.
LARGEST_POSITION = 2**63 - 1


def event(
    name: str, data: Any, *, position: int | None = None, retry_ms: int | None = None
) -> bytes:
    """One event; JSON has no raw line breaks, so `data` always fits one line."""
    lines = [f"event: {name}"]
    if position is not None:
        lines.append(f"id: {position}")
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}")
    lines.append("data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    return ("\n".join(lines) + "\n\n").encode()


def comment(text: str = "") -> bytes:
    """Return a line clients ignore: keeps proxies from closing an idle stream."""
    return f": {text}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """Set for the client how long to wait before it connects again."""
    return f"retry: {milliseconds}\n\n".encode()


def parse_position(raw: str | None) -> int | None:
    """Return the position in a `Last-Event-ID`, or None; ValueError for anything we never sent."""
    if raw is None or not raw.strip():
        return None
    return parse_whole_number(raw.strip(), 0, LARGEST_POSITION)
