"""How a calculation is shown."""

from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html, format_html_join


def trace_list(trace: Iterable[dict[str, Any]]) -> Any:
    """Return each step of a calculation as an ordered list; "-" without a step."""
    steps = format_html_join("", "<li>{}</li>", ((step["detail"],) for step in trace))
    return format_html('<ol class="mp-trace">{}</ol>', steps) if steps else "-"
