"""What a signed mail of S/MIME holds: its text lies inside the signature (RFC 8551, 3.5.2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

SIGNED_TYPES = frozenset(["application/pkcs7-mime", "application/x-pkcs7-mime"])
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
DATA = bytes.fromhex("2a864886f70d010701")
SEQUENCE, OBJECT, OCTETS, OCTETS_IN_PIECES, EXPLICIT = 0x30, 0x06, 0x04, 0x24, 0xA0
IS_NESTED = 0x20
MAIL = re.compile(rb"\s{0,10}[A-Za-z-]{1,60}:")
FIELD = b"content-type:"
MAX_HEAD = 5_000
# Deeper than any signature nests.
MAX_DEPTH = 40
MAX_ELEMENTS = 100_000


@dataclass(frozen=True)
class _Element:
    """One element of BER: its tag, and where its content begins and ends."""

    tag: int
    start: int
    end: int
    after: int


def signed_mail(data: bytes) -> bytes | None:
    """Return the mail that is signed inside a CMS message; None for all else, such as a PDF."""
    content = signed_content(data) or b""
    return content if MAIL.match(content) and FIELD in content[:MAX_HEAD].lower() else None


def signed_content(data: bytes) -> bytes | None:
    """Return what is signed inside a CMS message, without judging the signature.

    None for an encrypted message and for what is none. Takes time that grows with the data.
    """
    try:
        return _Reader(data).signed_content()
    except (IndexError, ValueError):
        return None


class _Reader:
    """Reads BER, whose lengths may be left open: Outlook and Java write it so."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = MAX_ELEMENTS

    def signed_content(self) -> bytes | None:
        message = self.children(self.element(0, 0))
        if self.value(self.expect(message, OBJECT)) != SIGNED_DATA:
            return None
        signed = self.children(self.expect(self.children(self.expect(message, EXPLICIT)), SEQUENCE))
        inside = self.children(self.expect(signed, SEQUENCE))
        if self.value(self.expect(inside, OBJECT)) != DATA:
            return None
        held = next(inside, None)  # a signature that stands apart holds nothing
        if held is None or held.tag != EXPLICIT:
            return None
        content = next(self.children(held), None)
        if content is None:
            return None
        if content.tag == OCTETS:
            return self.value(content)
        if content.tag != OCTETS_IN_PIECES:
            return None
        return b"".join(self.value(piece) for piece in self.children(content))

    def expect(self, elements: Iterator[_Element], tag: int) -> _Element:
        """Return the next of these elements with a tag; raises ValueError."""
        found = next((element for element in elements if element.tag == tag), None)
        if found is None:
            raise ValueError(tag)
        return found

    def value(self, element: _Element) -> bytes:
        return self.data[element.start : element.end]

    def children(self, parent: _Element) -> Iterator[_Element]:
        at = parent.start
        while at < parent.end:
            child = self.element(at, 1)
            yield child
            at = child.after

    def element(self, at: int, depth: int) -> _Element:
        """Return the element at a place; the end of an open one is found by reading its content."""
        self.left -= 1
        if depth > MAX_DEPTH or self.left < 0:
            raise ValueError("too much")
        tag, first = self.data[at], self.data[at + 1]
        start = at + 2
        if first == 0x80 and tag & IS_NESTED:
            return self._open(tag, start, depth)
        length = first
        if first & 0x80:
            size = first & 0x7F
            if not 1 <= size <= 4:
                raise ValueError("length")
            length = int.from_bytes(self.data[start : start + size])
            start += size
        end = start + length
        if end > len(self.data):
            raise ValueError("length")
        return _Element(tag, start, end, end)

    def _open(self, tag: int, start: int, depth: int) -> _Element:
        at = start
        while self.data[at : at + 2] != b"\x00\x00":
            at = self.element(at, depth + 1).after
        return _Element(tag, start, at, at + 2)
