"""The source of a mail to its tree of parts, within bounds of time and memory."""

import re
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Compat32
from itertools import islice

from .mail_headers import MAX_HEADER

# The standard library compares every line with the boundary of each part around it, and counts
# the quotes before each ";" of a header anew. Without these bounds a mail of 1 MB costs minutes.
MAX_COMPARISONS = 5_000_000
MAX_PARAMETERS = 50
# Lines that may divide parts: each makes an object before the parts can be counted.
MAX_DIVIDERS = 20_000
BOUNDARY = re.compile(rb"boundary\s{0,20}[*=]", re.IGNORECASE)
HEADER_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,10}:")
# A space before the colon ends the header for the standard library.
SPACED_NAME = re.compile(rb"^([!-9;-~]{1,200})[ \t]{1,10}:")
KNOWN_HEADER = re.compile(
    rb"(from|to|cc|subject|date|message-id|content-[a-z-]{1,40}|mime-version|received|reply-to|"
    rb"in-reply-to|references|return-path|sender|x-[\w-]{1,60})[ \t]{0,10}:",
    re.IGNORECASE,
)
# All at once: taken off one by one, each would copy the whole mail.
MBOX_LINES = re.compile(rb"(?:>?From [^\n]*(?:\n[\r\n]*|\Z))+")
MAX_HEAD = 200_000
# Lines of the header of one part.
MAX_HEADER_LINES = 10_000
# The standard library makes a message of each block between blank lines of such a part.
DELIVERY_STATUS = re.compile(rb"message/(?:global-)?delivery-status", re.IGNORECASE)
LINE_END = re.compile(rb"\r\n|\n|\r")
BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
# A boundary with a space in it may be folded there.
FOLDED_BOUNDARY = re.compile(r"(boundary\s{0,20}=\s{0,20}\"[^\"\n]{0,200})\n(?=[ \t])", re.I)
# Lines of nothing but spaces that may stand in one header.
MAX_SPACED_LINES = 20
# Pieces of a mail after what should have been its end.
MAX_PIECES_BEHIND = 2


class UnparsableMail(Exception):
    """A mail nothing can be made of; it is kept as it came and shown to staff."""


class _BoundedHeaders(Compat32):
    """Reads headers as `compat32` does, each cut before the standard library computes with it.

    8-bit bytes stay as they came: the standard library would replace them by question marks.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        value = value[: MAX_HEADER * 4]
        if name.lower() == "content-type":
            value = FOLDED_BOUNDARY.sub(r"\1", value)
        return name, ";".join(value.split(";", MAX_PARAMETERS + 1)[: MAX_PARAMETERS + 1])

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value


class _BoundedParser(BytesFeedParser):
    """Reads the first lines of each part's header: 10 MB of them would cost 8 s."""

    def _parse_headers(self, lines: list[str]) -> None:
        super()._parse_headers(lines[:MAX_HEADER_LINES])


def read_source(raw: bytes) -> Message:
    """Return the tree of a mail's parts; raises UnparsableMail for what would cost too much."""
    if not raw.strip():
        raise UnparsableMail("The message is empty.")
    boundaries = len(BOUNDARY.findall(raw))
    is_split = boundaries and raw.count(b"\n--") > MAX_DIVIDERS
    if is_split or boundaries * raw.count(b"\n") > MAX_COMPARISONS:
        raise UnparsableMail("The message has too many parts for its length.")
    status = DELIVERY_STATUS.search(raw)
    if status and sum(raw.count(b, status.end()) for b in (b"\n\n", b"\n\r\n")) > MAX_DIVIDERS:
        raise UnparsableMail("The report has too many blocks.")
    parser = _BoundedParser(policy=_BoundedHeaders())
    parser.feed(mended(raw))
    message = parser.close()
    _take_in_what_is_behind(message)
    return message


def _take_in_what_is_behind(message: Message) -> None:
    """Add the parts that stand behind the end of a multipart to it.

    Some programs give the parts inside another one the boundary of that one: the end of the inner
    ones ends both, and the files behind it would be lost.
    """
    for _ in range(MAX_PIECES_BEHIND):
        behind, boundary = message.epilogue or "", message.get_boundary()
        mark = f"--{boundary}"
        at = 0 if behind.startswith(mark) else behind.find(f"\n{mark}") + 1
        if not boundary or not message.is_multipart() or not behind[at:].startswith(mark):
            return
        if behind[at:].split("\n", 1)[0].rstrip() != mark:
            return
        parser = _BoundedParser(policy=_BoundedHeaders())
        head = f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n'
        parser.feed(f"{head}{behind[at:]}".encode("utf-8", "surrogateescape"))
        rest = parser.close()
        payload = rest.get_payload()
        if not isinstance(payload, list):
            return
        message.set_payload([*message.get_payload(), *payload])
        message.epilogue = rest.epilogue


def mended(raw: bytes) -> bytes:
    """Return a mail whose header can be read to its end.

    A byte order mark, blank lines or mbox lines before it are left out; a line in its middle
    that is no field goes on with the field before.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t \x00")
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")  # line ends of old Macs
    envelope = MBOX_LINES.match(raw)
    raw = raw[envelope.end() :] if envelope else raw
    head, rest = _divided(raw)
    lines = _whole_fields([SPACED_NAME.sub(rb"\1:", row) for row in LINE_END.split(head)])
    return b"\n".join(lines) + (b"" if rest is None else b"\n\n" + rest.lstrip(b"\r\n"))


def _whole_fields(lines: list[bytes]) -> list[bytes]:
    """Return the lines of a header, each of which begins a field or goes on with one."""
    last = max((i for i, line in enumerate(lines) if KNOWN_HEADER.match(line)), default=-1)
    whole = [line if i > last or _is_field(line) else b" " + line for i, line in enumerate(lines)]
    # What follows the last field without a blank line is text.
    at = next((i for i in range(last + 1, len(whole)) if not _is_field(whole[i])), len(whole))
    if last >= 0 and at < len(whole):
        whole.insert(at, b"")
    return whole


def _divided(raw: bytes) -> tuple[bytes, bytes | None]:
    """Return the header of a mail and what follows it, None if nothing does.

    Of a header longer than MAX_HEAD the rest is left out. Without an end to it all is text.
    """
    end = _end_of_header(raw)
    if end is not None:
        return raw[: min(end.start(), MAX_HEAD)], raw[end.end() :]
    return (raw[:MAX_HEAD], raw[MAX_HEAD:]) if len(raw) > MAX_HEAD else (raw, None)


def _end_of_header(raw: bytes) -> re.Match[bytes] | None:
    """Return the blank line that ends a header.

    A line of nothing but spaces may stand inside a field (RFC 5322, 4.2): then the field goes on
    below it, and others follow.
    """
    for found in islice(BLANK_LINE.finditer(raw), MAX_SPACED_LINES):
        if not found[0].strip(b"\r\n") or not _goes_on(raw, found.end()):
            return found
    return BLANK_LINE.search(raw)


def _goes_on(raw: bytes, at: int) -> bool:
    """Return whether a field goes on here, and others that are known follow it."""
    if raw[at : at + 1] not in (b" ", b"\t"):
        return False
    rest = raw[at : at + MAX_HEAD]
    lines = LINE_END.split(BLANK_LINE.split(rest, maxsplit=1)[0])
    return all(map(_is_field, lines)) and any(map(KNOWN_HEADER.match, lines))


def _is_field(line: bytes) -> bool:
    return line[:1] in (b" ", b"\t") or bool(HEADER_LINE.match(line))
