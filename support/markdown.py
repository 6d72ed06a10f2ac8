"""Markdown of members and staff to HTML that is safe to show anybody."""

import nh3
from markdown_it import MarkdownIt

from .mail_html import html_to_text

TAGS = {"a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
        "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead",
        "tr", "ul"}  # fmt: skip
# No images: a remote one tells its owner who reads the ticket, when, and from where.
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}

_markdown = (
    MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    .enable(["table", "strikethrough"])
    .disable("image")
)


def render_markdown(text: str) -> str:
    """Safe HTML of a Markdown text; HTML inside it is shown as the text it is."""
    return nh3.clean(
        _markdown.render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )


def plain_text(text: str) -> str:
    """The same text without markup, for mail readers and other plain places."""
    return html_to_text(render_markdown(text))
