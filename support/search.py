"""Search words the same way on every database: folded once here, compared by prefix there."""

from systemadmin.foundation.search_words import words

MAX_WORDS_STORED = 20_000
MAX_WORDS_ASKED = 8


def document(*texts: str) -> str:
    """The distinct words of some texts, each after a space: what is stored and indexed."""
    distinct = dict.fromkeys(word for text in texts for word in words(text))
    return " ".join(list(distinct)[:MAX_WORDS_STORED])


def extended(stored: str, text: str) -> str:
    """A stored document with the new words of a further text."""
    known = dict.fromkeys(stored.split())
    known.update(dict.fromkeys(words(text)))
    return " ".join(list(known)[:MAX_WORDS_STORED])


def asked(query: str) -> list[str]:
    """The words of a query; every one must begin some word of what is found."""
    return list(dict.fromkeys(words(query)))[:MAX_WORDS_ASKED]
