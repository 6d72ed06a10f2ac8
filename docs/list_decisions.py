"""Writes the table "Who can do what alone" of docs/roles.md from the code.

    python docs/list_decisions.py

A test compares the page with what this would write.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/roles.md"
BEGIN = "<!-- decisions: made by docs/list_decisions.py -->\n"
END = "<!-- end of decisions -->\n"


def table() -> str:
    """Return a row for each registered decision with the shipped roles that may take it."""
    # Models are imported only after Django is set up.
    from systemadmin.foundation.plugins import role_permissions  # noqa: PLC0415
    from systemadmin.services.duties import decisions  # noqa: PLC0415

    roles = role_permissions()
    rows = ["| act | what it does | permission | roles |", "|---|---|---|---|"]
    for decision in decisions():
        who = ", ".join(sorted(r for r, held in roles.items() if decision.permission in held))
        permission = f"`{decision.permission}`" if decision.permission else ""
        if not permission:
            who = "members, for their own"
        summary = decision.summary.partition("; raises")[0].removesuffix(".") + "."
        rows.append(f"| `{decision.act}` | {summary} | {permission} | {who or 'superusers only'} |")
    return "\n".join(rows) + "\n"


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
