"""Ticket numbers people can read: T-2026-000123, and finding them again in free text."""

import re

# \d would also take digits of other scripts, which int() reads but nobody typed on purpose.
NUMBER = re.compile(r"(?<![0-9A-Za-z])T-([0-9]{4})-([0-9]{6,9})(?![0-9])", re.IGNORECASE)


def format_number(year: int, serial: int) -> str:
    """Return the number of the `serial`-th ticket of a year."""
    return f"T-{year:04d}-{serial:06d}"


def find_number(text: str) -> str | None:
    """Return the first ticket number mentioned in a text, in its canonical form."""
    match = NUMBER.search(text)
    return format_number(int(match[1]), int(match[2])) if match else None
