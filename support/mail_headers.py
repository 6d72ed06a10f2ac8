"""Header fields of mail: addresses first, encoded words afterwards, as the senders meant them.

An address is what stands in an address's place. Text of a display name that looks like one is
only text, so encoded words are decoded after the addresses were split.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .mail_charsets import clean_text, decode_text

MAX_HEADER = 2_000
MAX_ADDRESSES = 200
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?(.{0,2000}?)\?=", re.DOTALL)
ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@\x00-\x1f\x7f]{1,200}@[^\s<>(),;\"@\x00-\x1f\x7f]{1,253}")
COMMENT = re.compile(r"\([^()]{0,200}\)")
QUOTED_LOCAL = re.compile(r'"[^"\\\x00-\x1f]{1,60}"@[^\s<>(),;"@\x00-\x1f\x7f]{1,190}')


@dataclass(frozen=True)
class Address:
    """One mailbox of an address field; `address` is empty where none can be made out."""

    name: str
    address: str


def header_text(value: object, *, limit: int = MAX_HEADER) -> str:
    """Return a header as text: encoded words decoded, raw 8-bit bytes read as what they mean."""
    return clean_text(_decoded(str(value)[: MAX_HEADER * 4]))[:limit]


def _decoded(text: str) -> str:
    """Decode encoded words; the space between two is not part of the text (RFC 2047, 6.2)."""
    out: list[str] = []
    pending: tuple[str, bytes] | None = None
    at = 0
    for match in ENCODED_WORD.finditer(text):
        between = text[at : match.start()]
        charset, data = match[1].split("*")[0], _word_bytes(match[2], match[3])
        at = match.end()
        if pending is not None and not between.strip():
            # A character may be split between two words of one charset.
            if pending[0].lower() == charset.lower():
                pending = (charset, pending[1] + data)
                continue
            between = ""
        if pending is not None:
            out.append(_word_text(pending))
        out.append(_raw_bytes(between))
        pending = (charset, data)
    if pending is not None:
        out.append(_word_text(pending))
    return "".join(out) + _raw_bytes(text[at:])


def _word_text(word: tuple[str, bytes]) -> str:
    return decode_text(word[1], word[0]) if word[1] else ""


def _word_bytes(encoding: str, content: str) -> bytes:
    raw = content.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return re.sub(
            rb"=([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), raw.replace(b"_", b" ")
        )
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return raw


def _raw_bytes(text: str) -> str:
    """8-bit bytes in a header (against the rules, and common) as the text they were meant as."""
    if any("\udc80" <= character <= "\udcff" for character in text):
        return decode_text(text.encode("utf-8", "surrogateescape"), None)
    return text


def parse_addresses(value: str) -> list[Address]:
    """Return the mailboxes of a raw, still encoded address field, in order."""
    raw, words = _protected(value[: MAX_HEADER * 4])
    found: list[Address] = []
    before = ""
    for piece in _mailboxes(raw):
        if "@" not in piece and "<" not in piece and "(" not in piece:
            before += piece.strip() + ", "  # "Ruiz, Ana <ana@…>" without quotes
            continue
        found.append(_mailbox(before + piece.strip(), words))
        before = ""
        if len(found) >= MAX_ADDRESSES:
            return found
    if before.strip(", ") and not found:
        found.append(Address(_restored(before.strip(", "), words), ""))
    return found


def _protected(value: str) -> tuple[str, list[str]]:
    """Put a mark in the place of each encoded word, whose text must not be read as syntax."""
    words: list[str] = []

    def mark(match: re.Match[str]) -> str:
        words.append(match[0])
        return f"\ue000{len(words) - 1}\ue001"

    return ENCODED_WORD.sub(mark, value.replace("\ue000", "").replace("\ue001", "")), words


def _restored(text: str, words: list[str]) -> str:
    original = re.sub(r"\ue000(\d+)\ue001", lambda m: words[int(m[1])], text)
    return " ".join(header_text(original).split())


def _mailboxes(value: str) -> Iterator[str]:
    """Split a field at the commas and semicolons that are outside quotes, comments and <>."""
    start, is_angled = 0, False
    for at, sign in _plain_signs(value):
        if sign in "<>":
            is_angled = sign == "<"
        elif sign in ",;" and not is_angled:
            yield value[start:at]
            start = at + 1
        elif sign == ":" and not is_angled and "@" not in value[start:at]:
            start = at + 1  # the name of a group
    yield value[start:]


def _plain_signs(value: str) -> Iterator[tuple[int, str]]:
    """Yield each sign outside quotes and comments, with its place."""
    depth, is_quoted = 0, False
    # A quote that is never closed is a sign like any other.
    last_quote = value.rfind('"')
    signs = iter(enumerate(value))
    for at, sign in signs:
        is_quote = (sign, depth) == ('"', 0)
        if sign == "\\" and (is_quoted or depth):
            next(signs, None)
        elif is_quote and (is_quoted or at < last_quote):
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += _step(value, at, depth)
            if not depth:
                yield at, sign


def _step(value: str, at: int, depth: int) -> int:
    """1 where a comment begins, -1 where one ends, else 0."""
    if value[at] == "(" and ")" in value[at : at + 500]:
        return 1
    return -1 if value[at] == ")" and depth else 0


def _mailbox(piece: str, words: list[str]) -> Address:
    comment = re.search(r"\(([^()]{0,200})\)", piece)
    opening = piece.rfind("<")
    if opening >= 0:
        address = _address(COMMENT.sub("", piece[opening + 1 :].split(">")[0]))
        name = piece[:opening]
    else:
        address, name = _address(COMMENT.sub(" ", piece)), ""
    if not name.strip() and comment:
        name = comment[1]
    elif not name.strip() and not address:
        name = piece
    return Address(_restored(_unquoted(name), words)[:150], address)


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name.strip().strip('"').strip())


def _address(text: str) -> str:
    """Return the address in a text, in lower case; empty if there is none or it is too long."""
    text = _raw_bytes(text.strip())
    if text.startswith("@") and ":" in text:
        text = text.split(":", 1)[1]  # a route, as of old
    text = re.sub(r"\s*@\s*", "@", text, count=1)
    match = QUOTED_LOCAL.search(text) or ADDRESS.search(text)
    found = match[0].strip(" '").rstrip(".").lower() if match else ""
    clean = clean_text(found)
    return clean if "\ue000" not in clean and len(clean) <= 254 and "�" not in clean else ""


def plain_address(address: str) -> str:
    """Return an address without its tag, so that two spellings of one mailbox are equal."""
    local, _, host = address.lower().rpartition("@")
    return f"{local.split('+')[0]}@{'gmail.com' if host == 'googlemail.com' else host}"
