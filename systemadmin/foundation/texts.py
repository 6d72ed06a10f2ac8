"""Texts that are stored once and read in the language of each reader.

A stored text is its English original with `%(name)s` where a fact stands; the facts are stored
beside it. It is translated when somebody reads it.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, override

# A fact whose name ends so is itself an English text of the catalogue.
TEXT = "_text"


def source(text: object) -> str:
    """Return the English original of a marked text, which is its key in the catalogue."""
    with override("en"):
        return str(text)


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """Return a stored text in the active language, with its facts in their places.

    A text without facts is never taken for one with places: it may hold any sign. Facts that do
    not fit the text, as another release may have stored, leave it as it is.
    """
    if not text:
        return ""
    shown = gettext(text)
    if not facts:
        return shown
    said = {
        name: gettext(value) if name.endswith(TEXT) and value and isinstance(value, str) else value
        for name, value in facts.items()
    }
    try:
        return shown % said
    except (KeyError, TypeError, ValueError):
        return shown
