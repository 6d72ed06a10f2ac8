"""Texts of the parts of a mail, put together: no word is lost, and none is said twice."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape

from systemadmin.foundation.search_words import words

# Neither sign may come again inside: each place would be read as far as the bound allows.
LINK = re.compile(r"<https?://[^<>\s]{1,2000}>|\[[^\[\]\n]{0,200}\]")
MAX_PLACEHOLDER = 300
PLACEHOLDER = re.compile(r"html|view (this|it) (e-?mail|message|online)", re.IGNORECASE)
# Characters whose words are compared with those of other parts; nested parts say them again.
MAX_COMPARED = 5_000_000


@dataclass(frozen=True)
class PartText:
    """The text of a part: what is shown of it and every word."""

    shown: str = ""
    whole: str = ""
    is_html: bool = False
    html: str = ""

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word."""
        return frozenset(words(self.whole))

    @cached_property
    def own_words(self) -> frozenset[str]:
        """The words without addresses of links, which are none."""
        return frozenset(words(LINK.sub(" ", self.whole)))


@dataclass
class Comparisons:
    """How many characters may still be compared in a mail."""

    left: int = MAX_COMPARED

    def may_compare(self, texts: list[PartText]) -> bool:
        """Return whether the words of these may be compared; else each is kept."""
        self.left -= sum(len(text.whole) for text in texts)
        return len(texts) > 1 and self.left >= 0


def in_sequence(texts: list[PartText], left: Comparisons) -> PartText:
    """Return parts that follow each other, each a piece of the text; copies are left out."""
    is_compared = any(text.is_html for text in texts) and left.may_compare(texts)
    kept = _without_copied_html(texts) if is_compared else texts
    return PartText(
        _joined(text.shown for text in kept),
        _joined(text.whole for text in kept),
        bool(kept) and all(text.is_html for text in kept),
        _html_of(kept),
    )


def _without_copied_html(texts: list[PartText]) -> list[PartText]:
    """Return the texts; HTML that repeats the plain text before it takes its place beside it."""
    kept: list[PartText] = []
    for text in texts:
        at = next((i for i, known in enumerate(kept) if _is_copy(text, known)), None)
        if at is None:
            kept.append(text)
        else:
            kept[at] = replace(kept[at], html=text.html)
    return kept


def _joined(pieces: Iterable[str]) -> str:
    return "\n\n".join(piece.strip() for piece in pieces if piece.strip())


def _is_copy(text: PartText, known: PartText) -> bool:
    """Return whether HTML says nothing but what a plain text before it said."""
    is_html_of_plain = text.is_html and not known.is_html
    return is_html_of_plain and bool(text.whole.strip()) and text.own_words <= known.words


def _html_of(texts: list[PartText]) -> str:
    """Return one HTML of parts that follow each other; empty where none of them is HTML."""
    if not any(text.html for text in texts):
        return ""
    return "\n".join(
        f"<div>{text.html}</div>" if text.html else f"<pre>{escape(text.whole)}</pre>"
        for text in texts
    )


def as_alternatives(texts: list[PartText], left: Comparisons) -> PartText:
    """One text said in several ways: the plain one is shown, and no word of the others lost."""
    plain = next((text for text in texts if not text.is_html), None)
    html = next((text for text in texts if text.is_html), None)
    first = _shown_first(plain, html)
    said = _without_copies(first, texts) if left.may_compare(texts) else texts
    whole = _joined(text.whole for text in said)
    return PartText(first.shown, whole, first.is_html, html.html if html else "")


def _shown_first(plain: PartText | None, html: PartText | None) -> PartText:
    """Return the plain text, unless it only says that there is HTML."""
    if plain is None or html is None:
        return plain or html or PartText()
    is_short = len(plain.shown) <= MAX_PLACEHOLDER
    return html if is_short and PLACEHOLDER.search(plain.shown) else plain


def _without_copies(first: PartText, texts: list[PartText]) -> list[PartText]:
    """Return the first text, and those that have words which none before them has."""
    said, known = [first], set(first.words)
    for text in texts:
        if text is not first and not text.own_words <= known:
            said.append(text)
            known |= text.words
    return said
