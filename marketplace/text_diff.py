"""What changed between two values, word by word, as marked-up HTML."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_PIECES = re.compile(r"\s+|[^\s]+")
# Past this many words the comparison would take longer than a reader's patience.
MAX_WORDS = 4_000


def diff_html(before: Any, after: Any) -> SafeString:
    """Return the change with what went in <del> and what came in <ins>."""
    old, new = str(before), str(after)
    if not isinstance(before, str) or not isinstance(after, str):
        return format_html("<del>{}</del> <ins>{}</ins>", old, new)
    return format_html_join("", "{}", ((part,) for part in _parts(old, new)))


def _parts(old: str, new: str) -> Iterator[SafeString]:
    a, b = _PIECES.findall(old)[:MAX_WORDS], _PIECES.findall(new)[:MAX_WORDS]
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            yield format_html("{}", "".join(a[a0:a1]))
            continue
        if a1 > a0:
            yield format_html("<del>{}</del>", "".join(a[a0:a1]))
        if b1 > b0:
            yield format_html("<ins>{}</ins>", "".join(b[b0:b1]))
