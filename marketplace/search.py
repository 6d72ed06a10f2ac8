"""Turns text into search words: folded, without accents, the same on every database."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

MAX_WORDS = 40
MAX_LENGTH = 40
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def fold(text: str) -> str:
    """Lower the case and strip accents: "Lámpara" and "lampara" are one word."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """Return the distinct words of a text in their order."""
    found = (word[:MAX_LENGTH] for word in _WORD.findall(fold(text)))
    return list(dict.fromkeys(found))


def product_words(title: str, attributes: dict[str, Any]) -> list[str]:
    """Return the words a product is found by: its title, then the values of its attributes."""
    return words(" ".join([title, *_texts(attributes.values())]))[:MAX_WORDS]


def _texts(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values if isinstance(value, str | int)]
