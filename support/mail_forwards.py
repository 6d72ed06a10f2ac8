"""A forwarded mail: who wrote it, and what, apart from the words of whoever forwards it."""

import re
from dataclasses import dataclass
from itertools import takewhile

from .mail_bodies import FORWARDED, FROM, HEADER_LINE
from .mail_headers import Address, parse_addresses
from .mail_threading import FORWARD

MIN_FIELDS = 3
MAX_SEARCHED = 200
SUBJECT = re.compile(
    r"^\W{0,3}(subject|asunto|betreff|objet|oggetto|onderwerp|ämne|emne|assunto|temat|тема|aihe|"
    r"tema|assumpte|konu|θέμα|主题|主旨|件名|sujet|předmět|predmet|tárgy|subiect|teema)"
    r"\W{0,3}[:：](.*)$",
    re.IGNORECASE,
)
MAILTO = re.compile(r"\[mailto:([^\]]{3,254})\]|<mailto:([^>]{3,254})>", re.IGNORECASE)


@dataclass(frozen=True)
class Forwarded:
    """The author, subject and text of a forwarded mail, and what was written above it."""

    address: str
    name: str
    subject: str
    text: str
    above: str


def read_forward(subject: str, text: str) -> Forwarded | None:
    """Return the mail that a mail forwards, or None where that is not beyond doubt.

    The subject says that it is a forward or the text has a forwarder's line, and the first block
    of at least three header fields names one author with an address.
    """
    lines = text.split("\n")
    mark = next((i for i, line in enumerate(lines[:MAX_SEARCHED]) if _is_mark(line)), None)
    if mark is None and not FORWARD.match(subject):
        return None
    block = _first_block(lines, mark + 1 if mark is not None else 0)
    if block is None:
        return None
    first, last = block
    fields = [line.lstrip("> ").strip() for line in lines[first:last]]
    author = _author(fields)
    rest = _unquoted(lines[last:])
    if author is None or not rest:
        return None
    above = "\n".join(lines[: mark if mark is not None else first]).strip()
    return Forwarded(author.address, author.name, _subject(fields), rest, above)


def _author(fields: list[str]) -> Address | None:
    """Return the one author that the fields name with an address."""
    line = next((line for line in fields if FROM.match(line)), "")
    value = MAILTO.sub(lambda m: f" <{m[1] or m[2]}>", re.split("[:：]", line, maxsplit=1)[-1])
    named = [found for found in parse_addresses(value.strip()) if found.address]
    # Some programs write the address twice: <a@b.test <a@b.test>>.
    return named[0] if len({found.address for found in named}) == 1 else None


def _subject(fields: list[str]) -> str:
    return next((found[2].strip() for line in fields if (found := SUBJECT.match(line))), "")


def _is_mark(line: str) -> bool:
    return bool(FORWARDED.match(line.lstrip("> ")))


def _first_block(lines: list[str], start: int) -> tuple[int, int] | None:
    """Return the first and last line of the first block of header fields that names an author."""
    for first in range(start, min(len(lines), start + MAX_SEARCHED)):
        if not HEADER_LINE.match(_field(lines[first])):
            continue
        # Thunderbird puts the subject first.
        block = list(takewhile(bool, map(_field, lines[first : first + 12])))
        fields = sum(bool(HEADER_LINE.match(line)) for line in block)
        if fields >= MIN_FIELDS and any(map(FROM.match, block)):
            return first, first + len(block)
    return None


def _field(line: str) -> str:
    return line.lstrip("> ").strip()


def _unquoted(lines: list[str]) -> str:
    """Return the text below the fields, without the marks of a forwarder that quotes all of it."""
    filled = [line for line in lines if line.strip()]
    if filled and all(line.startswith(">") for line in filled):
        lines = [re.sub(r"^> ?", "", line) for line in lines]
    return "\n".join(lines).strip()
