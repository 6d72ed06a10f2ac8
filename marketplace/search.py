"""Turns text into search words: folded, without accents, the same on every database."""

from collections.abc import Iterable
from typing import Any

from systemadmin.foundation.search_words import words as words_of

MAX_WORDS = 40


def words(text: str) -> list[str]:
    """Return the distinct words of a text in their order."""
    return list(dict.fromkeys(words_of(text)))


def product_words(title: str, attributes: dict[str, Any]) -> list[str]:
    """Return the words a product is found by: its title, then the values of its attributes."""
    return words(" ".join([title, *_texts(attributes.values())]))[:MAX_WORDS]


def _texts(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values if isinstance(value, str | int)]
