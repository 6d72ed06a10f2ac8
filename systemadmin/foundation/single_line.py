"""Texts that become one line: subjects, names, titles of notices."""

import re

from systemadmin.foundation.readable_text import without_direction

# Whatever any library takes for the end of a line (str.splitlines), and every other control
# character: in a header each of them ends it, or begins another one.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def single_line(text: str, limit: int | None = None) -> str:
    """Return the text with every line break and control character as one space, trimmed.

    Controls of direction are left out: in a header they would reorder what follows.
    """
    line = _BREAKS.sub(" ", without_direction(text)).strip()
    return line if limit is None else line[:limit]
