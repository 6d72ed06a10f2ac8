"""Texts that become one line: subjects, names, titles of notices."""

import re

# Whatever any library takes for the end of a line (str.splitlines), and every other control
# character: in a header each of them ends it, or begins another one.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def single_line(text: str, limit: int | None = None) -> str:
    """Return the text with every line break and control character as one space, trimmed."""
    line = _BREAKS.sub(" ", text).strip()
    return line if limit is None else line[:limit]
