"""Bytes of any declared charset to text that any database takes."""

import codecs
import re
from collections.abc import Callable, Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases

# Labels seen in the wild that Python does not know, or that mean a superset: programs declare
# the standard's charset and write their vendor's.
CHARSET_ALIASES = {
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "cp950",
    "x-x-big5": "cp950",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "tis-620": "cp874",
    "iso-8859-11": "cp874",
    "windows-874": "cp874",
    "x-windows-874": "cp874",
    "iso-8859-8-i": "cp1255",
    "iso-8859-8-e": "cp1255",
    "iso-8859-8": "cp1255",
    "iso-8859-9": "cp1254",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "x-mac-roman": "mac_roman",
    "x-macroman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-mac": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
    "x-user-defined": "utf-8",
    "default": "utf-8",
    "cp-850": "cp850",
}
# What is tried after a charset whose bytes do not fit it.
SECOND_TRY = {"cp950": "big5hkscs", "euc_jp": "euc_jis_2004", "cp932": "shift_jis_2004"}
# Codecs that are no charsets: decoding with them would change what was written, and takes time
# that grows with the square of its length (idna, punycode).
NOT_CHARSETS = frozenset(
    ["unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "mbcs", "oem"]
)
# Charsets of Python that have no alias.
RARE_CHARSETS = frozenset(
    ["cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_t", "koi8_u", "mac_arabic",
     "mac_croatian", "mac_farsi", "mac_romanian", "utf_8_sig"]
)  # fmt: skip
KNOWN_CHARSETS = frozenset(aliases) | frozenset(aliases.values()) | RARE_CHARSETS
WESTERN = frozenset(["cp1252", "cp1250", "cp1254", "iso8859_2", "iso8859_15"])
COMMON_IN_UTF_8 = re.compile(
    "[\\x00-\\x7f\u00a0-\u017f\u2000-\u2bff\ufe0f\ufeff\U0001f000-\U0001faff]*"
)
# Characters of UTF-8 that stand for each damaged one in a text that is UTF-8.
WHOLE_PER_DAMAGED = 5
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
MAX_TEXT = 200_000
META_REACH = 2_048
META = re.compile(rb"<meta\b[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?\s{0,5}([\w.:-]{1,40})", re.I)
ESCAPE = re.compile(rb"\x1b(\$\([A-Z@]|\$[A-Z@]|\([A-Z])")
PLAIN_ESCAPES = (b"(B", b"(J", b"(H")
DOUBLE_BYTE_ESCAPES = (b"$B", b"$@", b"$(B", b"$(@")


def decode_text(data: bytes, charset: str | None, *, limit: int | None = MAX_TEXT) -> str:
    """Return text: by the declared charset if it works, else UTF-8, else Windows-1252."""
    name = _codec(charset or "")
    for decode in _attempts(data, name):
        try:
            return clean_text(decode(data), limit=limit)
        except (LookupError, UnicodeError, ValueError):
            continue
    return clean_text(_damaged_utf_8(data) or data.decode("cp1252", "replace"), limit=limit)


def _damaged_utf_8(data: bytes) -> str:
    """Return UTF-8 of which single characters were cut in two; nothing for what is none.

    In a Western charset hardly two letters with accents follow each other as UTF-8 has them.
    """
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    whole = len(text) - damaged - len(text.encode("ascii", "ignore"))
    return text if whole > damaged * WHOLE_PER_DAMAGED else ""


def _attempts(data: bytes, name: str) -> Iterator[Callable[[bytes], str]]:
    if name.startswith(("utf_16", "utf_32")):
        name = _wide(data, name)
    elif name in WESTERN and not data.isascii():
        yield _misnamed_utf_8
    if name.startswith("iso2022_jp") or (not name and b"\x1b$" in data):
        yield _from_iso_2022_jp
    for candidate in _candidates(data, name):
        yield lambda raw, codec=candidate: raw.decode(codec)


def _candidates(data: bytes, name: str) -> list[str]:
    """Return codecs in the order in which they are tried."""
    if not name and data[:2] in BYTE_ORDER_MARKS:
        name = "utf_16"
    return [codec for codec in (name, SECOND_TRY.get(name, ""), "utf-8") if codec]


def _wide(data: bytes, name: str) -> str:
    """Return the codec of UTF-16 or UTF-32 data, which may be neither or show no byte order."""
    if data.isascii() and b"\x00" not in data:
        return "ascii"
    if name == "utf_16" and data[:2] not in BYTE_ORDER_MARKS:
        return "utf_16_be" if data[::2].count(0) > data[1::2].count(0) else "utf_16_le"
    return name


def _misnamed_utf_8(data: bytes) -> str:
    """Decode UTF-8 that was declared as a Western charset; raises UnicodeError if it is none.

    Two capital letters and a sign can be the bytes of one rare character, so only those count
    that mail in these languages has.
    """
    text = data.decode("utf-8")
    if not COMMON_IN_UTF_8.fullmatch(text):
        raise UnicodeError("rare characters")
    return text


def _codec(charset: str) -> str:
    """Return the name of the codec that a declared charset means; empty for what is no charset.

    Only names that Python ships are looked up: each unknown one would search the path for a
    module of that name and stay in a table of the process.
    """
    declared = charset[:60].strip().strip("'\"").lower()
    declared = CHARSET_ALIASES.get(
        declared, CHARSET_ALIASES.get(declared.replace("_", "-"), declared)
    )
    declared = re.sub(r"^x-(cp|windows|iso)", r"\1", declared)
    declared = normalize_encoding(declared).lower()
    if declared not in KNOWN_CHARSETS:
        return ""
    name = codecs.lookup(declared).name
    return "" if name in NOT_CHARSETS else name.replace("-", "_")


def _from_iso_2022_jp(data: bytes) -> str:
    """Decode ISO-2022-JP with the vendors' characters (CP50220), which Python has no codec for.

    Raises UnicodeError for an escape that is not of this family.
    """
    pieces = ESCAPE.split(data)
    text = [_plain(pieces[0])]
    for escape, run in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in PLAIN_ESCAPES:
            text.append(_plain(run))
        elif escape == b"(I":
            text.append(bytes(byte | 0x80 for byte in run if byte > 0x20).decode("cp932"))
        elif escape in DOUBLE_BYTE_ESCAPES:
            text.append(_double_bytes(run))
        else:
            return data.decode("iso2022_jp_ext" if escape == b"$(D" else "iso2022_jp_2004")
    return "".join(text)


def _plain(run: bytes) -> str:
    return run.replace(b"\x0e", b"").replace(b"\x0f", b"").decode("cp932")


def _double_bytes(run: bytes) -> str:
    """JIS X 0208 pairs with the rows that NEC and IBM added, by way of Shift_JIS."""
    shifted = bytearray()
    at = 0
    while at < len(run):
        high, low = run[at], run[at + 1] if at + 1 < len(run) else 0
        if not (0x21 <= high <= 0x7E and 0x21 <= low <= 0x7E):
            shifted.append(high)  # a line end inside the run
            at += 1
            continue
        shifted.append((high + 1) // 2 + (0x70 if high < 0x5F else 0xB0))
        is_odd = high % 2
        shifted.append(low + (0x1F + (low > 0x5F) if is_odd else 0x7E))
        at += 2
    return shifted.decode("cp932")


def meta_charset(data: bytes) -> str | None:
    """Return the charset that an HTML source itself declares, if it does."""
    match = META.search(data[:META_REACH])
    name = match[1].decode("ascii", "replace") if match else ""
    # A source that can be read to this declaration is not in UTF-16.
    return "utf-8" if name.lower().startswith("utf-16") else name or None


def clean_text(text: str, *, limit: int | None = MAX_TEXT) -> str:
    """Return text any database takes: no NUL, no half characters, plain line ends."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    return text.encode("utf-8", "replace").decode("utf-8")[:limit]
