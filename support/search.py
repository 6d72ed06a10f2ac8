"""Search words the same way on every database: folded once here, compared by prefix there."""

from collections.abc import Iterable, Sequence

from systemadmin.foundation.search_words import findable_words

# What one stored row holds, in bytes of UTF-8. PostgreSQL indexes less than 1 MB of words per row.
MAX_ROW = 250_000
# Rows per ticket: 10 MB of different words.
MAX_ROWS = 40
MAX_WORDS_ASKED = 8


def distinct(*texts: str) -> list[str]:
    """Return the different words of some texts, in their order."""
    return list(dict.fromkeys(word for text in texts for word in findable_words(text)))


def document(*texts: str) -> str:
    """Return the different words of some texts, each after a space."""
    return " ".join(distinct(*texts))


def extended(rows: Sequence[str], words: Iterable[str]) -> list[str]:
    """Return stored rows with the words that none of them has; at most MAX_ROWS of MAX_ROW bytes.

    Only the last row grows, and new ones follow it.
    """
    known = {word for row in rows for word in row.split()}
    kept = list(rows) or [""]
    pieces = [kept.pop()]
    size = len(pieces[0].encode())
    for word in dict.fromkeys(words):
        if word in known:
            continue
        length = len(word.encode()) + 1
        if size + length > MAX_ROW:
            kept.append(" ".join(filter(None, pieces)))
            if len(kept) >= MAX_ROWS:
                return kept
            pieces, size = [], 0
        pieces.append(word)
        size += length
    return [*kept, " ".join(filter(None, pieces))]


def asked(query: str) -> list[str]:
    """Return the words of a query; every one must begin some word of what is found."""
    return distinct(query)[:MAX_WORDS_ASKED]
