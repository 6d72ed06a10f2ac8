"""Words for search: the same on every database, whatever case and accents people type."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import regex

MAX_LENGTH: Final = 40
_WORD = re.compile(r"[^\W_]+")
# A reader sees nothing of these: soft hyphens, zero-width spaces and joiners, marks of direction.
# Frames around a letter are seen, and are no part of the word.
_NOT_WRITTEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Me}]+")
# Vowel signs of Indian and other scripts are marks, and belong to their words.
_WORD_WITH_MARKS = regex.compile(r"[\p{L}\p{N}\p{M}]+")
# Scripts that put no spaces between words, or put words of several together as Korean does.
# The sign of a long vowel (U+30FC) is of no script of its own.
_UNSPACED: Final = "\u30fc" + "".join(
    rf"\p{{{script}}}"
    for script in ("Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Thai", "Lao", "Khmer",
                   "Myanmar")
)  # fmt: skip
_RUN = regex.compile(rf"([{_UNSPACED}]+)|([^{_UNSPACED}]+)")


def fold(text: str) -> str:
    """Lower the case and strip accents and what nobody sees: "Lámpara" and "lampara" are one."""
    if text.isascii():
        return text.lower()
    # Twice: decomposing a character can bring a capital letter to light (㎓ becomes GHz).
    decomposed = unicodedata.normalize("NFKD", text.casefold()).casefold()
    seen = _NOT_WRITTEN.sub("", decomposed)
    return "".join(char for char in seen if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """Return the folded words of a text in their order, at most 40 characters of each."""
    return [word[:MAX_LENGTH] for word in _WORD.findall(fold(text))]


def findable_words(text: str) -> list[str]:
    """Return the words that a text is found by, in their order.

    Where a script puts no spaces between words, each two characters that follow one another are a
    word, and so is the last one: whoever types some characters out of the middle finds the text.
    """
    if text.isascii():
        return words(text)
    # Composed again: a syllable of Korean is one character.
    folded = unicodedata.normalize("NFC", fold(text))
    return [found for word in _WORD_WITH_MARKS.findall(folded) for found in _findable(word)]


def _findable(word: str) -> Iterator[str]:
    if word.isascii():
        yield word[:MAX_LENGTH]
        return
    for run, other in _RUN.findall(word):
        if run:
            yield from (run[at : at + 2] for at in range(len(run)))
        else:
            yield other[:MAX_LENGTH]
