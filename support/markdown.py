"""Markdown of members and staff to HTML that is safe to show anybody."""

import re
from collections.abc import Sequence
from html import escape

import nh3
from markdown_it import MarkdownIt

# What makes work for the parser: marks, items of lists and blank lines, 10 to 50 µs each. A text
# with more of them than the first figure is shown without markup; so are the texts of one page
# of a conversation once they have used up the second. Otherwise one member's ticket of sixty
# replies made of "![" costs 21 s of processor time at each look.
MARKS_PER_TEXT = 2_000
MARKS_PER_PAGE = 8_000
_MARK = re.compile(r"[][!*_`<>~|\\#+&-]|\n[ \t]*\n|^[ \t]*\d+[.)]", re.MULTILINE)

TAGS = {"a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
        "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead",
        "tr", "ul"}  # fmt: skip
# No images: a remote one shows its owner who reads the ticket, when, and from where.
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}

_markdown = (
    MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    .enable(["table", "strikethrough"])
    .disable("image")
)


def render_markdown(text: str) -> str:
    """Return safe HTML of a Markdown text; HTML inside it is shown as the text it is.

    A text with more than MARKS_PER_TEXT marks keeps its lines and loses its markup.
    """
    return _rendered(text) if _count_marks(text) <= MARKS_PER_TEXT else _as_lines(text)


def render_page(texts: Sequence[str]) -> list[str]:
    """Return safe HTML of each text; the last ones come first where MARKS_PER_PAGE is used up."""
    left, pages = MARKS_PER_PAGE, []
    for text in reversed(texts):
        marks = _count_marks(text)
        if marks > min(left, MARKS_PER_TEXT):
            pages.append(_as_lines(text))
        else:
            left -= marks
            pages.append(_rendered(text))
    return pages[::-1]


def _count_marks(text: str) -> int:
    return sum(1 for _ in _MARK.finditer(text))


def _as_lines(text: str) -> str:
    lines = escape(text.strip(), quote=False).split("\n")
    return "<p>" + "<br>\n".join(lines) + "</p>\n"


def _rendered(text: str) -> str:
    return nh3.clean(
        _markdown.render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
