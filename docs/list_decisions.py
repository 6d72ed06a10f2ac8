"""Writes the tables "Who can do what alone" and "What needs two people" of docs/roles.md.

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
BEGIN_TWO = "<!-- second person: made by docs/list_decisions.py -->\n"
END_TWO = "<!-- end of second person -->\n"


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


def second_person_table() -> str:
    """Return a row for each act that needs a second person, with the roles that approve it."""
    from django.utils.translation import override  # noqa: PLC0415

    from systemadmin.foundation.plugins import role_permissions  # noqa: PLC0415
    from systemadmin.services.approvers import DECIDE  # noqa: PLC0415
    from systemadmin.services.second_person import acts  # noqa: PLC0415

    roles = role_permissions()
    rows = [
        "| act | kind | what it does | it waits | roles that approve |",
        "|---|---|---|---|---|",
    ]
    with override("en"):
        for act in acts().values():
            needed = {act.permission, DECIDE}
            may = [] if act.approver else [name for name, held in roles.items() if needed <= held]
            who = ", ".join(sorted(may)) or "superusers only"
            rows.append(f"| `{act.name}` | {act.kind} | {act.title}. | {act.rule} | {who} |")
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    """Return the page with the tables between their marks replaced."""
    for begin, content, end in (
        (BEGIN, table(), END),
        (BEGIN_TWO, second_person_table(), END_TWO),
    ):
        before, _begin, rest = text.partition(begin)
        _old, _end, after = rest.partition(end)
        text = before + begin + content + end + after
    return text


if __name__ == "__main__":
    import django

    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("DJANGO_DEBUG", "1")
    django.setup()
    PAGE.write_text(page(PAGE.read_text()))
