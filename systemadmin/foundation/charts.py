"""Bar charts as SVG: attributes only, so that no page needs to allow inline styles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, BASE, LEFT = 720, 200, 170, 70


@dataclass(frozen=True)
class Series:
    """Bars of one kind; the name is also the class that colours them."""

    name: str
    css: str
    values: Sequence[int]


def bar_chart(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    show: Callable[[int], Any] = int,
) -> SafeString:
    """Return grouped bars with a scale, some labels, and each value (as `show` has it) on hover.

    A value below zero has no bar: what is refunded may exceed what was earned.
    """
    highest = max([1, *(v for one in series for v in one.values)])
    step = (WIDTH - LEFT) / max(1, len(labels))
    width = max(1.0, step * 0.8 / max(1, len(series)))
    bars = format_html_join(
        "\n",
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {} ({})</title></rect>',
        (
            (
                one.css,
                f"{LEFT + index * step + at * width:.1f}",
                f"{BASE - _height(value, highest):.1f}",
                f"{width:.1f}",
                f"{_height(value, highest):.1f}",
                labels[index],
                show(value),
                one.name,
            )
            for at, one in enumerate(series)
            for index, value in enumerate(one.values)
        ),
    )
    every = max(1, len(labels) // 10)
    names = format_html_join(
        "\n",
        '<text class="chart-label" x="{}" y="{}">{}</text>',
        (
            (f"{LEFT + index * step:.1f}", BASE + 18, label)
            for index, label in enumerate(labels)
            if index % every == 0
        ),
    )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        WIDTH,
        HEIGHT,
        title,
        _scale(highest, show),
        bars,
        names,
    )


def _height(value: int, highest: int) -> float:
    return (BASE - 14) * max(value, 0) / highest


def _scale(highest: int, show: Callable[[int], Any]) -> SafeString:
    return format_html_join(
        "\n",
        '<line class="chart-grid" x1="{}" x2="{}" y1="{}" y2="{}"></line>'
        '<text class="chart-label" x="0" y="{}">{}</text>',
        (
            (LEFT, WIDTH, f"{y:.1f}", f"{y:.1f}", f"{y + 4:.1f}", show(value))
            for value in sorted({0, (highest + 1) // 2, highest})
            for y in [BASE - _height(value, highest)]
        ),
    )
