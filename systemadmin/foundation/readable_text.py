"""Texts that people read: whether anything can be seen in them, and in which order it is shown.

The tables are those of `regex`, which follows Unicode closely: the ones of Python 3.11 end at
version 14.
"""

from typing import Final

import regex
from django.utils.translation import gettext as _

from systemadmin.foundation.parsing import DIRECTION_CONTROLS, Unreadable

# A stack of marks on one letter: Hebrew with cantillation and Tibetan stay below it.
MOST_MARKS: Final = 10

# Letters, numbers, punctuation and symbols leave ink; so do the few format characters that are
# drawn before a number. Private use, unassigned, separators, controls and lone combining marks
# do not. Some letters and symbols are blank by design: fillers, the empty Braille cell, the empty
# note head, blank hieroglyphs, the place of an object that is not there.
_VISIBLE = regex.compile(
    r"[[\p{L}\p{N}\p{P}\p{S}\p{Extended_Pictographic}]"
    r"--[\p{Default_Ignorable_Code_Point}\u2800\uFFFC\U0001D159\U00013441\U00013442]"
    r"||[\p{Prepended_Concatenation_Mark}]]",
    regex.V1,
)
# The marks of one grapheme cluster follow one another, with nothing but format characters between
# them; variation selectors choose the form of an emoji and stack nothing. Found this way in linear
# time: `\X` of `regex` is quadratic for a row of flags.
_STACKED = regex.compile(
    r"(?:[\p{M}--\p{Variation_Selector}][\p{Cf}\p{Variation_Selector}]*+)"
    f"{{{MOST_MARKS + 1}}}",
    regex.V1,
)
_DIRECTION = regex.compile(f"[{DIRECTION_CONTROLS}]")
_RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


class Blank(Unreadable):
    """Nothing of the text can be seen."""

    code = "blank"


def is_visible(text: str) -> bool:
    """Return whether a reader sees anything of the text."""
    return _VISIBLE.search(text) is not None


def visible_text(text: str) -> str:
    """Return the trimmed text, or nothing where a reader would see nothing."""
    return text.strip() if is_visible(text) else ""


def has_stacked_marks(text: str) -> bool:
    """Return whether a character carries more combining marks than any language writes."""
    return _STACKED.search(text) is not None


def check_readable(text: str, *, may_be_blank: bool = False) -> None:
    """Raise `Unreadable` for a text that shows nothing or covers what stands around it."""
    if not may_be_blank and not is_visible(text):
        raise Blank(_("Write something that can be seen."))
    if has_stacked_marks(text):
        raise Unreadable(
            _("At most %(count)s combining marks on one character.") % {"count": MOST_MARKS}
        )


def without_direction(text: str) -> str:
    """Return the text without characters that change the direction of what follows."""
    return _DIRECTION.sub("", text)


def isolated(text: str) -> str:
    """Return a name to be put between other words, so that neither reorders the other.

    Names without right-to-left letters need no isolation and stay plain.
    """
    plain = without_direction(text)
    if _RIGHT_TO_LEFT.search(plain) is None:
        return plain
    return f"{_FIRST_STRONG_ISOLATE}{plain}{_POP_ISOLATE}"
