"""HTML of a mail that is safe to show: only known elements, and no picture from elsewhere.

What is kept is written anew, element by element, so nothing of the source's own markup reaches a
browser. A picture that came with the mail stays where it was; one that would be fetched from
somebody's server becomes a notice, because loading it shows who reads the mail, when and where.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from html import escape, unescape
from typing import Any
from urllib.parse import unquote

from django.utils.translation import gettext as _

from .mail_html import CODE, MAX_DEPTH, TooDeepError, closed_elements, feed, input_text

# What is kept of one mail; a longer one is shown as text.
MAX_SAFE_HTML = 300_000
MAX_EMBEDDED = 20

KEPT = frozenset(
    ["a", "b", "blockquote", "br", "caption", "center", "code", "dd", "del", "div", "dl", "dt",
     "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "li", "ol", "p", "pre", "s",
     "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
     "thead", "tr", "tt", "u", "ul"]
)  # fmt: skip
VOID = frozenset(["br", "hr"])
NUMBERS = {"td": ("colspan", "rowspan"), "th": ("colspan", "rowspan"), "ol": ("start",)}
LINK = re.compile(r"(https?://|mailto:)[^\x00-\x20]{1,2000}\Z", re.IGNORECASE)
EMBEDDED = re.compile(
    r"data:image/(png|jpe?g|gif|webp);base64,([A-Za-z0-9+/=\s]+)\Z", re.IGNORECASE
)
# The pictures as written below, and nowhere else: all other "<" of the text are escaped.
PICTURE = re.compile(r'<img src="(cid|remote):([^"]*)" alt="([^"]*)">')


class _SafeHtml:
    """A target for lxml's parser that writes what is kept of each element."""

    def __init__(self, silent: frozenset[str]) -> None:
        self.out: list[str] = []
        self.embedded: list[tuple[str, bytes]] = []
        self._open: list[str] = []
        self._silent_tags = silent
        self._silent = 0

    def start(self, tag: str, attributes: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise TooDeepError
        self._silent += tag in self._silent_tags
        is_kept = tag in KEPT and not self._silent
        self._open.append(tag if is_kept and tag not in VOID else "")
        if tag == "img" and not self._silent:
            self._write_picture(attributes)
        elif tag == "input":
            self.data(input_text(attributes))
        elif is_kept:
            self.out.append(f"<{tag}{_attributes(tag, attributes)}>")

    def end(self, tag: str) -> None:
        written = self._open.pop()
        if written:
            self.out.append(f"</{written}>")
        self._silent -= tag in self._silent_tags

    def data(self, text: str) -> None:
        if not self._silent:
            self.out.append(escape(text))

    def comment(self, text: str) -> None:
        """Comments are not for readers."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Drop processing instructions."""

    def close(self) -> list[str]:
        return self.out

    def _write_picture(self, attributes: Any) -> None:
        source = "".join(str(attributes.get("src", "")).split())
        alt = escape(" ".join(str(attributes.get("alt", "")).split())[:200])
        if source[:4].lower() == "cid:":
            address = "cid:" + escape(normal_content_id(unquote(source[4:])))
        elif source[:5].lower() == "data:":
            address = self._embedded(source)
        elif _is_invisible(attributes):
            return  # one pixel that only reports who reads
        else:
            address = "remote:"
        self.out.append(f'<img src="{address}" alt="{alt}">')

    def _embedded(self, source: str) -> str:
        """Take a picture written into the HTML out as a file, and name the file."""
        found = EMBEDDED.match(source)
        if found is None or len(self.embedded) >= MAX_EMBEDDED:
            return "remote:"
        try:
            content = base64.b64decode(found[2], validate=False)
        except (binascii.Error, ValueError):
            return "remote:"
        name = f"embedded-{len(self.embedded) + 1}.{found[1].lower()}"
        self.embedded.append((name, content))
        return f"cid:{name}"


def safe_html(source: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the safe HTML of a mail and the pictures that were written into it, with their names.

    The HTML is empty where it is too long or too deeply nested: the text says all of it then.
    Takes time that grows with the source and no faster.
    """
    data = source.replace("\x00", "").encode("utf-8", "replace")
    target = _SafeHtml(CODE | closed_elements(data))
    is_whole = feed(data, target)
    html = "".join(target.out).strip()
    if not is_whole or len(html) > MAX_SAFE_HTML:
        return "", target.embedded
    return html, target.embedded


def normal_content_id(value: str) -> str:
    """Return a Content-ID as it is compared: without brackets, space and case."""
    return "".join(value.split()).strip("<>").lower()[:255]


def placed_html(html: str, urls: Mapping[str, str]) -> str:
    """Return safe HTML with its pictures from `urls`, by Content-ID, and notices for all others."""
    return PICTURE.sub(_placing(urls), html)


def _placing(urls: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def place(found: re.Match[str]) -> str:
        url = urls.get(unescape(found[2])) if found[1] == "cid" else None
        if url:
            return f'<img src="{escape(url)}" alt="{found[3]}" loading="lazy">'
        told = _("Picture from another server, not loaded") if found[1] == "remote" else ""
        words = [told or _("Picture that did not come with the mail"), unescape(found[3])]
        return f"<em>[{escape(': '.join(word for word in words if word))}]</em>"

    return place


def _attributes(tag: str, attributes: Any) -> str:
    if tag == "a":
        href = str(attributes.get("href", "")).strip()
        if LINK.match(href):
            return f' href="{escape(href)}" rel="noopener noreferrer nofollow"'
        return ""
    numbers = {name: str(attributes.get(name, "")) for name in NUMBERS.get(tag, ())}
    return "".join(
        f' {name}="{value}"'
        for name, value in numbers.items()
        if value.isascii() and value.isdigit() and len(value) <= 3
    )


def _is_invisible(attributes: Any) -> bool:
    sides = [
        str(attributes.get(side, "")).strip().removesuffix("px") for side in ("width", "height")
    ]
    return any(side in ("0", "1", "2") for side in sides)
