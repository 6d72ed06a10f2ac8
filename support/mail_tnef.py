"""What Outlook packs into winmail.dat: the text and the files of a mail (MS-OXTNEF).

Takes time that grows with the data. Numbers in it are believed only as far as there is data.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from .mail_charsets import clean_text, decode_text

TYPES = frozenset(["application/ms-tnef", "application/vnd.ms-tnef"])
SIGNATURE = b"\x78\x9f\x3e\x22"
# A message inside a message begins with the id of its interface.
MESSAGE = bytes.fromhex("0703020000000000c000000000000046")
MAX_DEPTH = 3
MAX_ELEMENTS = 20_000
MAX_FILES = 300

# Attributes of the stream.
BODY, CODEPAGE, PROPERTIES = 0x800C, 0x9007, 0x9003
FILE_BEGINS, FILE_TITLE, FILE_DATA, FILE_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
# Properties of a message and of a file.
TEXT, PREVIEW, HTML, RTF = 0x1000, 0x3FD9, 0x1013, 0x1009
TEXT_CODEPAGE, SUBJECT = 0x3FDE, 0x0037
DISPLAY_NAME, SHORT_NAME, LONG_NAME = 0x3001, 0x3704, 0x3707
DATA, MIME_TYPE, CONTENT_ID = 0x3701, 0x370E, 0x3712
# Types of properties, and the bytes that one value takes.
UNICODE, STRING = 0x001F, 0x001E
SIZES = {0x0001: 4, 0x0002: 4, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 4, 0x0005: 8, 0x0006: 8,
         0x0007: 8, 0x0014: 8, 0x0040: 8, 0x0048: 16}  # fmt: skip
OF_ANY_LENGTH = frozenset([0x0000, 0x000D, STRING, UNICODE, 0x0102])
IS_MULTIPLE, IS_NAMED = 0x1000, 0x8000
CODEPAGES = {65001: "utf-8", 20127: "us-ascii", 20866: "koi8-r", 21866: "koi8-u", 936: "gb18030",
             50220: "iso-2022-jp", 51932: "euc-jp", 51949: "euc-kr", 54936: "gb18030"}  # fmt: skip


class BrokenError(Exception):
    """The data ends early, or says what no program writes."""


@dataclass
class PackedFile:
    """A file of a packed mail."""

    title: str = ""
    content: bytes = b""
    properties: dict[int, "bytes | str | int"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The long name, else the short one."""
        for key in (LONG_NAME, SHORT_NAME, DISPLAY_NAME):
            found = self.properties.get(key)
            if isinstance(found, str) and found.strip():
                return found.strip()
        return self.title.strip()

    def text(self, key: int) -> str:
        """Return a property that is text."""
        found = self.properties.get(key)
        return found.strip() if isinstance(found, str) else ""


@dataclass
class Packed:
    """What a winmail.dat holds.

    `has_rtf` where it has a text in RTF, which is not read, `is_broken` where it ends early.
    """

    subject: str = ""
    text: str = ""
    html: str = ""
    has_rtf: bool = False
    is_broken: bool = False
    files: list[PackedFile] = field(default_factory=list)
    inner: list["Packed"] = field(default_factory=list)

    @property
    def all_files(self) -> list[PackedFile]:
        """The files, those of messages inside too."""
        return [*self.files, *(file for one in self.inner for file in one.all_files)]

    @property
    def all_text(self) -> str:
        """The text, and that of messages inside under their subjects."""
        inner = [f"{one.subject}\n\n{one.all_text}" for one in self.inner]
        return "\n\n".join(text.strip() for text in (self.text, *inner) if text.strip())


def is_packed(kind: str, name: str, data: bytes) -> bool:
    """Return whether a part is a mail packed by Outlook."""
    return (kind in TYPES or name.lower() == "winmail.dat") and data.startswith(SIGNATURE)


def read_tnef(data: bytes) -> Packed | None:
    """Return what a winmail.dat holds, as far as it can be read; None where it holds nothing."""
    reader = _Reader(data, _Left())
    try:
        reader.read(0)
    except (BrokenError, struct.error, IndexError, ValueError):
        reader.packed.is_broken = True
    found = reader.packed
    has_files = any(file.content for file in found.all_files)
    return found if found.text or found.html or has_files or found.has_rtf else None


@dataclass
class _Left:
    """What may still be read of one winmail.dat."""

    elements: int = MAX_ELEMENTS

    def take(self) -> None:
        self.elements -= 1
        if self.elements < 0:
            raise BrokenError("too many elements")


class _Reader:
    """Reads the stream of attributes of one message."""

    def __init__(self, data: bytes, left: _Left) -> None:
        self.data = data
        self.left = left
        self.charset = "cp1252"
        self.packed = Packed()
        self._body = b""

    def read(self, depth: int) -> Packed:
        if not self.data.startswith(SIGNATURE) or depth > MAX_DEPTH:
            raise BrokenError("no stream of attributes")
        for name, start, end in self._attributes():
            self._read_attribute(name, start, end, depth)
        if not self.packed.text:
            self.packed.text = _string(self._body, self.charset)
        return self.packed

    def _attributes(self) -> Iterator[tuple[int, int, int]]:
        """Yield the name of each attribute, and where its data begins and ends."""
        at = len(SIGNATURE) + 2
        while at + 9 < len(self.data):
            self.left.take()
            name, _type, length = struct.unpack_from("<HHI", self.data, at + 1)
            start = at + 9
            at = start + length + 2
            if start + length > len(self.data):
                raise BrokenError("an attribute ends early")
            yield name, start, start + length

    def _read_attribute(self, name: int, start: int, end: int, depth: int) -> None:
        if name == CODEPAGE:
            self.charset = charset_of(struct.unpack_from("<I", self.data, start)[0])
        elif name == BODY:
            self._body = self.data[start:end]
        elif name == PROPERTIES:
            self._read_message(start, end)
        elif name == FILE_BEGINS:
            if len(self.packed.files) >= MAX_FILES:
                raise BrokenError("too many files")
            self.packed.files.append(PackedFile())
        elif name in (FILE_TITLE, FILE_DATA, FILE_PROPERTIES):
            self._read_file(name, start, end, depth)

    def _read_message(self, start: int, end: int) -> None:
        found = _Properties(self.data, start, end, self.charset, self.left).read()
        codepage = found.get(TEXT_CODEPAGE)
        charset = charset_of(codepage) if isinstance(codepage, int) else self.charset
        self.packed.subject = _string(found.get(SUBJECT, ""), charset)
        self.packed.text = _string(found.get(TEXT) or found.get(PREVIEW, ""), charset)
        self.packed.html = _string(found.get(HTML, ""), charset)
        self.packed.has_rtf = bool(found.get(RTF))

    def _read_file(self, name: int, start: int, end: int, depth: int) -> None:
        file = self.packed.files[-1]
        if name == FILE_TITLE:
            file.title = _string(self.data[start:end], self.charset)
        elif name == FILE_DATA:
            file.content = self.data[start:end]
        else:
            file.properties = _Properties(self.data, start, end, self.charset, self.left).read()
            content = file.properties.pop(DATA, b"")
            if isinstance(content, bytes) and content.startswith(MESSAGE):
                self.packed.files.pop()
                inner = _Reader(content[len(MESSAGE) :], self.left)
                self.packed.inner.append(inner.read(depth + 1))
            elif isinstance(content, bytes) and content:
                file.content = content


class _Properties:
    """Reads a list of MAPI properties."""

    def __init__(self, data: bytes, start: int, end: int, charset: str, left: _Left) -> None:
        self.data, self.at, self.end = data, start, end
        self.charset = charset
        self.left = left

    def read(self) -> dict[int, bytes | str | int]:
        """Return the first value of each property that has no name of its own."""
        found: dict[int, bytes | str | int] = {}
        for _number in range(self._number()):
            self.left.take()
            kind, key = self._number("<H"), self._number("<H")
            if key & IS_NAMED:
                self._skip_name()
            values = list(self._values(kind))
            if values and not key & IS_NAMED:
                found.setdefault(key, values[0])
        return found

    def _values(self, kind: int) -> Iterator[bytes | str | int]:
        base = kind & ~IS_MULTIPLE
        is_multiple = bool(kind & IS_MULTIPLE)
        if base in OF_ANY_LENGTH:
            for _number in range(self._number()):
                self.left.take()
                length = self._number()
                value = self._bytes(length)
                self._bytes(-length % 4)
                yield self._text(base, value)
        elif base in SIZES:
            for _number in range(self._number() if is_multiple else 1):
                self.left.take()
                value = self._bytes(SIZES[base])
                yield int.from_bytes(value[:4], "little")
        else:
            raise BrokenError("unknown type")

    def _text(self, base: int, value: bytes) -> bytes | str:
        if base == UNICODE:
            return clean_text(value.decode("utf-16-le", "replace"), limit=None).strip("\x00")
        return _string(value, self.charset) if base == STRING else value

    def _skip_name(self) -> None:
        self._bytes(16)
        if self._number() == 0:
            self._bytes(4)
        else:
            length = self._number()
            self._bytes(length + -length % 4)

    def _number(self, form: str = "<I") -> int:
        return int(struct.unpack(form, self._bytes(struct.calcsize(form)))[0])

    def _bytes(self, length: int) -> bytes:
        start, self.at = self.at, self.at + length
        if self.at > self.end:
            raise BrokenError("a property ends early")
        return self.data[start : self.at]


def charset_of(codepage: int) -> str:
    """Return the charset that a number of Windows means."""
    if 28591 <= codepage <= 28606:
        return f"iso-8859-{codepage - 28590}"
    return CODEPAGES.get(codepage, f"cp{codepage}")


def _string(value: bytes | str | int, charset: str) -> str:
    if isinstance(value, bytes):
        return decode_text(value.rstrip(b"\x00"), charset, limit=None)
    return value if isinstance(value, str) else ""
