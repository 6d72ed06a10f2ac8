"""Server-sent events on the wire, and the cursor a client resumes from. No database."""

from __future__ import annotations

import json
from typing import Any

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
    """A line clients ignore: keeps proxies from closing an idle stream."""
    return f": {text}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """Tell the client how long to wait before it connects again."""
    return f"retry: {milliseconds}\n\n".encode()


def parse_position(raw: str | None) -> int | None:
    """The position in a `Last-Event-ID`, or None; ValueError for anything we never sent."""
    if raw is None or not raw.strip():
        return None
    text = raw.strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        raise ValueError("not a position of this stream")
    position = int(text)
    if position > LARGEST_POSITION:
        raise ValueError("not a position of this stream")
    return position
