"""Words for search: the same on every database, whatever case and accents people type."""

import re
import unicodedata
from typing import Final

MAX_LENGTH: Final = 40
_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Lower the case and strip accents: "Lámpara" and "lampara" are one word."""
    # Twice: decomposing a character can bring a capital letter to light (㎓ becomes GHz).
    decomposed = unicodedata.normalize("NFKD", text.casefold()).casefold()
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """Return the folded words of a text in their order, at most 40 characters of each."""
    return [word[:MAX_LENGTH] for word in _WORD.findall(fold(text))]
