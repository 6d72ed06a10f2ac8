"""What changed between two values, word by word, as marked-up HTML, in bounded time."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

_WORDS = re.compile(r"\s+|\S+")
# Words put in or taken out, and steps of the comparison, before it goes on by whole lines: the
# time of an exact comparison grows with their product, and a seller chooses both texts.
MAX_CHANGES = 600
MAX_STEPS = 500_000

# Where a run of equal pieces begins in either text, and how many they are.
Run = tuple[int, int, int]


def diff_html(before: Any, after: Any) -> SafeString:
    """Return the change with what went in <del> and what came in <ins>.

    Texts too different for a comparison by words are compared by lines, or shown whole from
    the first change to the last, and a notice in front says so. Nothing is left out.
    """
    old, new = str(before), str(after)
    if not isinstance(before, str) or not isinstance(after, str):
        return format_html("<del>{}</del> <ins>{}</ins>", old, new)
    words = _WORDS.findall(old), _WORDS.findall(new)
    runs, is_exact = equal_runs(*words)
    if is_exact:
        return _marked(*words, runs)
    lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    line_runs, _is_exact = equal_runs(*lines)
    if _length(lines[0], line_runs) > _length(words[0], runs):
        notice = _("Too much has changed to compare word by word: whole lines are compared.")
        return _coarse(notice, _marked(*lines, line_runs))
    notice = _(
        "Too much has changed to compare: all between the first and the last change is shown whole."
    )
    return _coarse(notice, _marked(*words, runs))


def _length(pieces: Sequence[str], runs: list[Run]) -> int:
    """Return how many characters are in both texts."""
    return sum(len(piece) for x, _y, size in runs for piece in pieces[x : x + size])


def _coarse(notice: str, marked: SafeString) -> SafeString:
    return format_html('<p class="mp-coarse"><strong>{}</strong></p>{}', notice, marked)


def _marked(a: Sequence[str], b: Sequence[str], runs: list[Run]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in _parts(a, b, runs)))


def _parts(a: Sequence[str], b: Sequence[str], runs: list[Run]) -> Iterator[SafeString]:
    x = y = 0
    for start, other, length in [*runs, (len(a), len(b), 0)]:
        if start > x:
            yield format_html("<del>{}</del>", "".join(a[x:start]))
        if other > y:
            yield format_html("<ins>{}</ins>", "".join(b[y:other]))
        if length:
            yield format_html("{}", "".join(a[start : start + length]))
        x, y = start + length, other + length


def equal_runs(a: Sequence[str], b: Sequence[str]) -> tuple[list[Run], bool]:
    """Return the runs of pieces that both have, in order, and whether these are all.

    Where finding all would take too long, they are what both begin and end with.
    """
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    inner = _shortest_script(a[head : len(a) - tail], b[head : len(b) - tail])
    runs = [(0, 0, head), *((x + head, y + head, size) for x, y, size in inner or [])]
    runs.append((len(a) - tail, len(b) - tail, tail))
    return [run for run in runs if run[2]], inner is not None


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return how many pieces are the same from the start."""
    most = min(len(a), len(b))
    return next((i for i in range(most) if a[i] != b[i]), most)


def _shortest_script(a: Sequence[str], b: Sequence[str]) -> list[Run] | None:
    """Return the runs that a shortest edit keeps (Myers, "An O(ND) Difference Algorithm", 1986).

    `reach[k]` is how far into `a` an edit of `changes` steps gets on the diagonal x - y = k.
    """
    reach = {1: 0}
    history: list[dict[int, int]] = []
    steps = 0
    for changes in range(min(len(a) + len(b), MAX_CHANGES) + 1):
        history.append(reach)
        reach = {}
        for k in range(-changes, changes + 1, 2):
            x = start = _step(history[-1], k, changes)
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            steps += x - start + 1
            reach[k] = x
            if x >= len(a) and x - k >= len(b):
                return _runs_of(history, len(a), len(b))
        if steps > MAX_STEPS:
            return None
    return None


def _step(reach: dict[int, int], k: int, changes: int) -> int:
    """Where the next edit lands on a diagonal: one piece taken out or one put in."""
    if k == -changes or (k != changes and reach[k - 1] < reach[k + 1]):
        return reach[k + 1]
    return reach[k - 1] + 1


def _runs_of(history: list[dict[int, int]], x: int, y: int) -> list[Run]:
    """Return the way back from the end of both texts, through what was reached with each edit."""
    points = [(x, y)]
    for changes in range(len(history) - 1, 0, -1):
        reach, k = history[changes], x - y
        landed = _step(reach, k, changes)
        points += [(landed, landed - k)]
        came_down = k == -changes or (k != changes and reach[k - 1] < reach[k + 1])
        x = landed if came_down else landed - 1
        y = landed - k - 1 if came_down else landed - k
        points += [(x, y)]
    points.append((0, 0))
    points.reverse()
    # An edit changes one of the two places, a run of equal pieces both.
    return [(px, py, qx - px) for (px, py), (qx, qy) in pairwise(points) if qx > px and qy > py]
