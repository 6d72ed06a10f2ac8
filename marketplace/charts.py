"""Bar charts as SVG: attributes and classes only, so no page needs inline styles or scripts."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, BASE, LEFT, TOP = 720, 220, 180, 70, 14


def bar_chart(
    title: str, labels: Sequence[str], values: Sequence[int], shown: Sequence[str]
) -> SafeString:
    """One bar a label, with the exact value as its tooltip."""
    step = (WIDTH - LEFT) / max(1, len(labels))
    bars = _bars(step, labels, values, shown)
    every = max(1, len(labels) // 9 + 1)
    names = format_html_join(
        "\n",
        '<text class="mp-label" x="{}" y="{}">{}</text>',
        (
            (f"{LEFT + place * step + step * 0.1:.1f}", BASE + 18, label)
            for place, label in enumerate(labels)
            if place % every == 0
        ),
    )
    top = shown[list(values).index(max(values))] if values else ""
    return format_html(
        '<svg class="mp-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line class="mp-axis" x1="{}" y1="{}" x2="{}" y2="{}"/>'
        '<text class="mp-label" x="0" y="{}">{}</text>{}{}</svg>',
        WIDTH,
        HEIGHT,
        title,
        LEFT,
        BASE,
        WIDTH,
        BASE,
        TOP + 4,
        top,
        bars,
        names,
    )


def _bars(
    step: float, labels: Sequence[str], values: Sequence[int], shown: Sequence[str]
) -> SafeString:
    highest = max([1, *values])
    rows = []
    for place, value in enumerate(values):
        # What was given back may exceed what was earned: such a month has no bar, but a tooltip.
        height = (BASE - TOP) * max(value, 0) / highest
        left = LEFT + place * step + step * 0.1
        size = (f"{left:.1f}", f"{BASE - height:.1f}", f"{step * 0.8:.1f}", f"{height:.1f}")
        rows.append((*size, labels[place], shown[place]))
    return format_html_join(
        "\n",
        '<rect class="mp-bar" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>',
        rows,
    )
