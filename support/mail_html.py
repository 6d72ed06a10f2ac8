"""HTML to readable text, in time and memory that grow with its length and no faster."""

import re
from typing import Any

from django.utils.translation import gettext as _
from lxml import etree

from .mail_bodies import shortened
from .mail_charsets import MAX_TEXT, clean_text

# What is read of one HTML body: most of it is markup, and MAX_TEXT is what is kept of its words.
MAX_HTML = 1_000_000
# libxml2 looks through all open elements for an end tag that belongs to none of them, so without
# a bound on the depth 1 MB of HTML cost 19 s. People's mail stays below 100.
MAX_DEPTH = 500
PIECE = 8_192
# Deeper quotes keep this many ">": a line must not be longer by its quotes than by its words.
MAX_QUOTES = 20
# A link whose address stands this near before it is not written a second time.
LINK_REACH = 2_000

BLOCKS = frozenset(
    ["address", "article", "blockquote", "dd", "div", "dl", "dt", "figure", "footer", "form", "h1",
     "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section",
     "table", "tr", "ul"]
)  # fmt: skip
# Never words for a reader.
CODE = frozenset(["script", "style"])
# No words for a reader where they have an end; one that is never closed would hide the mail.
SILENT = frozenset(["title", "template", "svg"])
# Fields of a form show what they hold; these hold nothing to read.
UNREAD_INPUTS = frozenset(["hidden", "password", "checkbox", "radio", "file", "image"])
SPACES = re.compile(r"\s+")


class TooDeepError(Exception):
    """The elements are nested deeper than MAX_DEPTH."""


class _TextOfHtml:
    """A target for lxml's parser: collects readable lines, with ">" before quoted ones.

    The parser calls `end` for every `start`, whatever the source leaves out.
    """

    def __init__(self, silent: frozenset[str]) -> None:
        self.lines: list[str] = []
        self._line: list[str] = []
        self._recent: list[str] = []
        self._last = ""
        self._quoted: list[bool] = []
        self._quotes = 0
        self._silent_tags = silent
        self._silent = 0
        self._link = ""
        self._kept_lines = 0

    def start(self, tag: str, attributes: Any) -> None:
        if len(self._quoted) >= MAX_DEPTH:
            raise TooDeepError
        self._silent += tag in self._silent_tags
        if tag == "br" or tag in BLOCKS:
            self._break(force=tag == "br")
        is_quote = tag == "blockquote" or "gmail_quote" in attributes.get("class", "").split()
        self._quoted.append(is_quote)
        self._quotes += is_quote
        self._kept_lines += tag == "pre"
        self._write_own(tag, attributes)

    def _write_own(self, tag: str, attributes: Any) -> None:
        """Write what an element itself says to a reader."""
        if tag == "li":
            self._write("- ")
        elif tag in ("td", "th"):
            self._write(" ")
        elif tag == "input":
            self.data(f" {input_text(attributes)} ")
        elif tag == "img" and attributes.get("alt"):
            self.data(f"[{attributes['alt']}]")
        elif tag == "a":
            self._link = attributes.get("href", "").strip()

    def end(self, tag: str) -> None:
        if tag == "a":
            self._write_link()
        if tag in BLOCKS:
            self._break()
        self._quotes -= self._quoted.pop()
        self._kept_lines -= tag == "pre"
        self._silent -= tag in self._silent_tags

    def data(self, text: str) -> None:
        if self._silent:
            return
        if not self._kept_lines:
            self._write(SPACES.sub(" ", text))
            return
        for at, line in enumerate(text.split("\n")):
            if at:
                self._break(force=True)
            self._write(SPACES.sub(" ", line))

    def comment(self, text: str) -> None:
        """Comments are not for readers."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Ignore processing instructions."""

    def close(self) -> list[str]:
        self._break(force=True)
        return self.lines

    def _write_link(self) -> None:
        href, self._link = self._link, ""
        if href.startswith(("http://", "https://")) and href not in self._before():
            self._write(f" <{href}>")

    def _before(self) -> str:
        """Return the last words of this line; what was joined once is not joined again."""
        joined = "".join(self._recent)
        self._line.append(joined[:-LINK_REACH])
        self._recent = [joined[-LINK_REACH:]]
        return self._recent[0]

    def _write(self, text: str) -> None:
        if not self._last:
            text = text.lstrip()
            if not text:
                return
            self._recent.append("> " * min(self._quotes, MAX_QUOTES))
        elif self._last == " ":
            # The parser hands over words in pieces: a space may end one and begin the next.
            text = text.lstrip(" ")
        if text:
            self._recent.append(text)
            self._last = text[-1]

    def _break(self, *, force: bool = False) -> None:
        if force or self._recent:
            self.lines.append("".join(self._line) + "".join(self._recent))
            self._line, self._recent, self._last = [], [], ""


def input_text(attributes: Any) -> str:
    """Return what a reader sees in a field of a form."""
    if str(attributes.get("type", "")).strip().lower() in UNREAD_INPUTS:
        return ""
    return str(attributes.get("value", "") or attributes.get("placeholder", ""))


def html_to_text(html: str, *, limit: int = MAX_HTML) -> str:
    """Return the readable text of an HTML body, never its scripts, styles or remote images.

    What is longer than `limit` characters or too deeply nested to be read is left out, and a line
    at the end says so.
    """
    source = html[:limit].replace("\x00", "").encode("utf-8", "replace")
    lines, is_whole = _read(source)
    text = "\n".join(line.rstrip() for line in lines)
    text = re.sub(r"\n{3,}", "\n\n", text).strip().replace("\xa0", " ")
    text = shortened(clean_text(text, limit=None), MAX_TEXT)
    if is_whole and len(html) <= limit:
        return text
    rest = _("[The rest of this message is too large to be shown.]")
    return f"{text}\n\n{rest}".strip()


def _read(source: bytes) -> tuple[list[str], bool]:
    """Return the lines of a source and whether it was read to its end."""
    target = _TextOfHtml(CODE | closed_elements(source))
    is_whole = feed(source, target)
    return (target.lines if is_whole else target.close()), is_whole


def feed(source: bytes, target: Any) -> bool:
    """Hand the elements of a source to a target; False where they are nested too deeply."""
    parser = etree.HTMLParser(target=target, encoding="utf-8")
    try:
        # In pieces: an exception of the target ends the parsing only between two of them.
        for start in range(0, len(source), PIECE):
            parser.feed(source[start : start + PIECE])
        parser.close()
    except TooDeepError:
        return False
    except etree.XMLSyntaxError:  # nothing in it but white space or comments
        target.close()
    return True


def closed_elements(source: bytes) -> frozenset[str]:
    """Return those of SILENT that a source closes somewhere."""
    lower = source.lower()
    return frozenset(tag for tag in SILENT if f"</{tag}".encode() in lower)
