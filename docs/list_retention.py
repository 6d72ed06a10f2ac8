"""Writes the table "What is kept" of docs/privacy.md from the code.

    python docs/list_retention.py

A test compares the page with what this would write.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/privacy.md"
BEGIN = "<!-- retention table -->\n"
END = "<!-- end of retention table -->\n"


def table() -> str:
    """Return a row per table of the database, grouped by app."""
    # Models are imported only after Django is set up.
    from systemadmin.foundation.retention import declared_tables  # noqa: PLC0415

    rows = ["| table | holds | why | whose | how long |", "|---|---|---|---|---|"]
    for name, entry in sorted(declared_tables().items()):
        owners = ", ".join(f"`{'self' if owner == 'pk' else owner}`" for owner in entry.owners)
        kept = [_rule(rule) for rule in entry.rules] + ([entry.kept] if entry.kept else [])
        rows.append(
            f"| `{name}` | {entry.holds} | {entry.purpose} | {owners or 'nobody'} "
            f"| {'; '.join(kept)} |"
        )
    return "\n".join(rows) + "\n"


def _rule(rule: Any) -> str:
    says = getattr(rule, "says", "")
    if not says:
        blank = getattr(rule, "blank", None)
        says = f"{', '.join(sorted(blank))} emptied" if blank else "deleted"
    return f"{says} ({_span(rule)}, rule `{rule.name}`)"


def _span(rule: Any) -> str:
    from systemadmin.foundation.configuration import declared_settings  # noqa: PLC0415

    if rule.span.setting:
        days = declared_settings()[rule.span.setting].default
        default = f"{days} days" if days else "kept"
        return f"`{rule.span.setting}`, default {default}"
    seconds = int(rule.span.fixed.total_seconds())
    if not seconds:
        return "as soon as it is over"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            number = seconds // size
            return f"after {number} {unit}{'s' if number > 1 else ''}"
    return f"after {seconds} seconds"


def page(text: str) -> str:
    """Return the page with the table between its marks replaced."""
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    import django

    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("DJANGO_DEBUG", "1")
    django.setup()
    PAGE.write_text(page(PAGE.read_text()))
