"""The home page of the admin: what waits, how urgent it is, what changed since one last looked."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format

from systemadmin.desk_counts import Waiting, waiting_for
from systemadmin.first_run import Step, first_steps
from systemadmin.foundation.money import format_money
from systemadmin.foundation.plugins import Line, Worklist, modules
from systemadmin.services.statistics import default_span, statistics

ROWS = 3  # of each queue; all of them are one press away
# Who comes back after this long sees what changed meanwhile.
AWAY = timedelta(hours=1)
REMEMBERED = timedelta(days=30)
FIGURES = 8
# Of a figure's number; the others have nothing to say after them.
UNITS = {"percent": "%", "hours": "h", "seconds": "s", "minutes": "min"}


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue with its first rows, as a panel."""

    waiting: Waiting
    lines: list[Line]
    change: int | None

    @property
    def is_urgent(self) -> bool:
        """Return whether something in the queue cannot wait."""
        return self.waiting.worklist.is_urgent

    @property
    def change_shown(self) -> str:
        """Return the change with its sign."""
        return f"{self.change:+d}".replace("-", "−") if self.change else ""


def home_context(user: Any) -> dict[str, Any]:
    """Return what the home shows this person: the work, what is clear, then figures."""
    waiting = waiting_for(user, fresh=True)
    before, since = _last_look(user, waiting)
    lanes = [
        Lane(
            one,
            [_opened(one.worklist, *shown) for shown in one.worklist.lines(user, ROWS)],
            one.count - before[one.worklist.code] if one.worklist.code in before else None,
        )
        for one in waiting
        if one.count
    ]
    lanes.sort(key=lambda lane: not lane.is_urgent)
    lanes = [lane for lane in lanes if lane.lines]
    steps = first_steps(user)
    return {
        "lanes": lanes,
        "first": lanes[0].lines[0] if lanes else None,
        "urgent": sum(lane.waiting.count for lane in lanes if lane.is_urgent),
        "clear": [one.worklist.title for one in waiting if not one.count],
        "has_queues": bool(waiting),
        "since": since,
        "steps": steps,
        "steps_left": _undone(steps),
        "figures": _figures(user, waiting),
    }


def _opened(worklist: Worklist, row: Any, line: Line) -> Line:
    """Return a row as the panel shows it; what has a queue opens at the review desk.

    There its decisions stand beside it, and the next one follows. The plain page has neither.
    """
    # The title of an alert is a sentence; here it stands inside one.
    line = replace(line, title=str(line.title).rstrip("."))
    if worklist.queue is None:
        return line
    return replace(line, url=reverse("admin:review_thing", args=[worklist.queue.code, row.pk]))


def _undone(steps: list[Step]) -> int:
    return sum(not step.is_done for step in steps)


def _last_look(user: Any, waiting: list[Waiting]) -> tuple[dict[str, int], Any]:
    """Return the counts of the visit before this one, and when that was.

    Looking again within an hour is the same visit. The cache may forget it: a hint is lost.
    """
    key, now = f"home:{user.pk}", timezone.now()
    counts = {one.worklist.code: one.count for one in waiting}
    known = cache.get(key) or {"counts": counts, "at": now, "base": {}, "since": None}
    if now - known["at"] > AWAY:
        known |= {"base": known["counts"], "since": known["at"]}
    cache.set(key, known | {"counts": counts, "at": now}, REMEMBERED.total_seconds())
    return known["base"], known["since"]


def _ranks(user: Any, waiting: list[Waiting]) -> dict[str, bool]:
    """Return the codes of figures of the person's apps; True for those one does not work at."""
    works_at = {one.worklist.code.partition(".")[0] for one in waiting}
    ranks: dict[str, bool] = {}
    for found in modules("stats"):
        app = found.__name__.partition(".")[0]
        if user.has_module_perms(app):
            ranks |= {stat.code: app not in works_at for stat in found.STATS}
    return ranks


def _figures(user: Any, waiting: list[Waiting]) -> list[dict[str, Any]]:
    """Return the figures of the desks this person may look at, those one works at first."""
    if not user.has_perm("systemadmin.view_statistics"):
        return []
    ranks = _ranks(user, waiting)
    sections = [statistics(name, default_span()) for name in ("overview", "transactions")]
    shown = [
        {**figure, "shown": _shown(figure), "points": _points(figure)}
        for section in sections
        for figure in section["figures"]
        if figure["code"] in ranks and "error" not in figure and figure["unit"] != "breakdown"
    ]
    return sorted(shown, key=lambda figure: ranks[figure["code"]])[:FIGURES]


def _shown(figure: dict[str, Any]) -> str:
    """Return the number as people read it: amounts with their currency, shares with their sign."""
    value = figure["value"]
    if figure["unit"] == "money":
        return " · ".join(format_money(amount, code) for code, amount in value.items()) or "0"
    if value is None:
        return "–"
    return f"{number_format(value, use_l10n=True)} {UNITS.get(figure['unit'], '')}".strip()


def _points(figure: dict[str, Any]) -> str:
    """Return the line of a small chart, 120 wide and 26 high; empty where there is none to draw."""
    values = [
        float(point["value"] or 0)
        for point in figure.get("series", [])
        if not isinstance(point["value"], dict)
    ]
    if len(values) < 2:
        return ""
    highest = max(values) or 1
    step = 120 / (len(values) - 1)
    return " ".join(
        f"{'L' if number else 'M'}{number * step:.1f} {24 - 22 * value / highest:.1f}"
        for number, value in enumerate(values)
    )
