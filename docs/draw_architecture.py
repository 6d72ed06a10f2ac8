"""Draws docs/images/architecture.svg from the code: the apps on their floors, their rooms, imports.

    python docs/draw_architecture.py

A test compares the picture with what this would draw, so that it cannot grow old.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PICTURE = ROOT / "docs/images/architecture.svg"
FOUNDATION = "systemadmin.foundation"
FLOORS = (
    ("config",),
    ("support", "marketplace", "messaging"),
    ("riskops",),
    ("systemadmin",),
    (FOUNDATION,),
)
SAYS = {
    "config": "settings, URLs, admin site",
    "support": "tickets, replies, clocks, FAQ",
    "marketplace": "products, commissions, ledger",
    "messaging": "conversations, broadcasts",
    "riskops": "events in; scores, links, anomalies out",
    "systemadmin": "users, audit, alerts, backups, status",
    FOUNDATION: "no tables, knows no app",
}
WIDTH, MARGIN, GAP, FLOOR_GAP, LINE = 1060, 20, 30, 54, 17
HIDDEN = ("tests", "migrations")
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1d2733}.name{font-size:16px;font-weight:600}"
    ".says{fill:#4a5a6a}rect{fill:#f3f6f9;stroke:#8296aa}"
    "line{stroke:#4a5a6a;stroke-width:1.4;marker-end:url(#head)}#head path{fill:#4a5a6a}"
)


def app_of(module: str) -> str:
    """Return the box a module lies in."""
    return FOUNDATION if module.startswith(FOUNDATION) else module.split(".")[0]


def imports() -> set[tuple[str, str]]:
    """Return which app imports which, tests and migrations apart."""
    graph = grimp.build_graph(*{app.split(".")[0] for floor in FLOORS for app in floor})
    modules = [m for m in graph.modules if not set(HIDDEN) & set(m.split("."))]
    pairs = {
        (app_of(module), app_of(imported))
        for module in modules
        for imported in graph.find_modules_directly_imported_by(module)
        if not set(HIDDEN) & set(imported.split("."))
    }
    return {(upper, lower) for upper, lower in pairs if upper != lower}


def rooms(app: str) -> list[str]:
    """Return the folders of an app that hold code."""
    folder = ROOT / app.replace(".", "/")
    names = (path.parent.name for path in folder.glob("*/__init__.py"))
    return sorted(set(names) - {*HIDDEN, "foundation"})


def wrapped(words: list[str], width: float) -> list[str]:
    """Return a text as lines that fit into a box of this width in pixels."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} · {word}" if lines[-1] else word
        if len(longer) * 6.6 > width - 24 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def draw() -> str:
    """Return the picture as SVG text."""
    boxes: dict[str, tuple[float, float, float, float]] = {}
    shapes: list[str] = []
    top = float(MARGIN)
    for floor in FLOORS:
        width = (WIDTH - 2 * MARGIN - GAP * (len(floor) - 1)) / len(floor)
        texts = {app: wrapped(rooms(app), width) for app in floor}
        height = 52 + LINE * max(len(lines) for lines in texts.values())
        for place, app in enumerate(floor):
            left = MARGIN + place * (width + GAP)
            boxes[app] = (left, top, width, height)
            shapes += _box(app, texts[app], boxes[app])
        top += height + FLOOR_GAP
    arrows = [_arrow(boxes, upper, lower) for upper, lower in sorted(imports())]
    height = top - FLOOR_GAP + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            'role="img" aria-label="Apps on their floors; imports go down only">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height:.0f}" style="fill:#fff;stroke:none"/>',
            *shapes,
            *(arrow for arrow in arrows if arrow),
            "</svg>\n",
        ]
    )


def _box(app: str, lines: list[str], box: tuple[float, float, float, float]) -> list[str]:
    left, top, width, height = box
    x = left + 12
    shapes = [
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"/>',
        f'<text class="name" x="{x:.0f}" y="{top + 23:.0f}">{app.replace(".", "/")}</text>',
        f'<text class="says" x="{x:.0f}" y="{top + 41:.0f}">{escape(SAYS[app])}</text>',
    ]
    for number, line in enumerate(lines):
        shapes.append(f'<text x="{x:.0f}" y="{top + 60 + LINE * number:.0f}">{escape(line)}</text>')
    return shapes


def _arrow(boxes: dict[str, tuple[float, float, float, float]], upper: str, lower: str) -> str:
    """Return an arrow to the floor below; all may use what lies deeper, which the text says."""
    floor = {app: number for number, apps in enumerate(FLOORS) for app in apps}
    if floor[lower] != floor[upper] + 1:
        return ""
    left, top, width, height = boxes[upper]
    x = left + width / 2
    y = top + height
    return f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{x:.0f}" y2="{boxes[lower][1] - 2:.0f}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw())
