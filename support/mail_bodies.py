"""What a person wrote: bytes of any charset to text, quotes and signatures cut.

Everything here takes time that grows with the text and no faster: anybody may write it.
"""

import codecs
import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from django.utils.translation import gettext as _

# Labels seen in the wild that Python does not know, or that lie in a known way.
CHARSET_ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-mac": "utf-8",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
    "default": "utf-8",
    "cp-850": "cp850",
}
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
MAX_TEXT = 200_000
# Longer than any line that introduces a quote.
MAX_ATTRIBUTION = 500
REPLY_MARK = "##- ✂ -##"


def decode_text(data: bytes, charset: str | None, *, limit: int | None = MAX_TEXT) -> str:
    """Text from bytes: the declared charset if it works, else UTF-8, else Windows-1252."""
    for candidate in (_codec(charset or ""), "utf-8"):
        if not candidate:
            continue
        try:
            return clean_text(data.decode(candidate), limit=limit)
        except (LookupError, UnicodeError, ValueError):
            continue
    return clean_text(data.decode("cp1252", "replace"), limit=limit)


def _codec(charset: str) -> str:
    """The name of the codec that a declared charset means; empty for what is no charset.

    Only names that Python ships are looked up: each unknown one would search the path for a
    module of that name and stay in a table of the process.
    """
    declared = charset[:60].strip().strip("'\"").lower()
    declared = normalize_encoding(CHARSET_ALIASES.get(declared, declared)).lower()
    if declared not in KNOWN_CHARSETS:
        return ""
    name = codecs.lookup(declared).name
    return "" if name in NOT_CHARSETS else name


def clean_text(text: str, *, limit: int | None = MAX_TEXT) -> str:
    """Text any database takes: no NUL, no half characters, plain line ends."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    return text.encode("utf-8", "replace").decode("utf-8")[:limit]


def shortened(text: str, limit: int) -> str:
    """The text, or its first `limit` characters with a last line that says it goes on."""
    if len(text) <= limit:
        return text
    notice = "\n\n" + _("[This message is longer. The rest is in the original mail.]")
    return text[: max(0, limit - len(notice))].rstrip() + notice


# "On Monday, Ana wrote:" in the languages members write; the date keeps chance matches away.
WROTE = re.compile(
    r"^\W{0,3}(on|el|le|am|il|em|op|w dniu|den)\b.{4,250}?"
    r"(wrote|escribió|escribio|a écrit|schrieb.{0,120}|ha scritto|escreveu|schreef|"
    r"napisał\S*|skrev)"
    r"\s?:\s*$",
    re.IGNORECASE,
)
DIVIDER = re.compile(
    r"^\s*[-_*]{2,}\s*(original message|mensaje original|mensagem original|message d'origine|"
    r"ursprüngliche nachricht|messaggio originale|reply above|forwarded message|"
    r"mensaje reenviado)\s*[-_*]{2,}\s*$",
    re.IGNORECASE,
)
FORWARDED = re.compile(
    r"^\W*(forwarded message|mensaje reenviado|begin forwarded message|message transféré|"
    r"weitergeleitete nachricht)\W*$",
    re.IGNORECASE,
)
HEADER_LINE = re.compile(
    r"^\W{0,3}(from|sent|date|to|subject|cc|de|enviado( el)?|fecha|para|asunto|von|gesendet|an|"
    r"betreff|envoyé|à|objet)\W{0,3}:",
    re.IGNORECASE,
)
DEVICE = re.compile(
    r"^\W{0,3}(sent from my|sent from outlook|enviado desde mi|get outlook for|envoyé de mon|"
    r"obtener outlook|von meinem .{1,30} gesendet)",
    re.IGNORECASE,
)


def cut_quotes(text: str) -> str:
    """What the sender added; all of it when nothing else would remain."""
    lines = text.split("\n")
    if any(FORWARDED.match(line.lstrip("> ")) for line in lines):
        return text.strip()  # a forwarded message is what the sender wants us to read
    kept = _without_earlier(lines)
    kept = _without_trailing_quote(kept)
    kept = _without_signature(kept)
    return "\n".join(kept).strip() or text.strip()


def _without_earlier(lines: list[str]) -> list[str]:
    for at, line in enumerate(lines):
        if REPLY_MARK in line:
            return lines[: _before_attribution(lines, at)]
        length = _attribution(lines, at)
        if not length:
            continue
        return _around_quote(lines, at, at + length)
    return lines


def _around_quote(lines: list[str], end: int, start: int) -> list[str]:
    """What the sender wrote around a quote whose introduction stands from `end` to `start`."""
    rest = lines[start:]
    is_quoted = [row.lstrip().startswith(">") for row in rest]
    if not any(is_quoted):
        return lines[:end]
    first, last = is_quoted.index(True), len(rest) - 1 - is_quoted[::-1].index(True)
    own = [i for i, row in enumerate(rest) if row.strip() and not is_quoted[i]]
    if any(first < i < last for i in own):
        return lines  # answers between the quoted lines make no sense without them
    return lines[:end] + (rest[last + 1 :] if any(i > last for i in own) else [])


def _before_attribution(lines: list[str], mark: int) -> int:
    """The line of "Ana wrote:" above our own mark, else the mark itself."""
    for at in range(max(0, mark - 6), mark):
        if _attribution(lines, at):
            return at
    return mark


def _attribution(lines: list[str], at: int) -> int:
    """How many lines introduce an earlier message here; none if this is no such place."""
    line = lines[at].strip()
    if not line or line.startswith(">"):
        return 0
    for length in (1, 2, 3):  # mail programs wrap it
        joined = " ".join(row.strip() for row in lines[at : at + length])
        if len(joined) <= MAX_ATTRIBUTION and WROTE.match(joined):
            return length
    if DIVIDER.match(line):
        return 1
    block = [row for row in lines[at : at + 6] if HEADER_LINE.match(row)]
    return len(block) if HEADER_LINE.match(line) and len(block) >= 3 else 0


def _without_trailing_quote(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    return lines[:end]


def _without_signature(lines: list[str]) -> list[str]:
    for at, line in enumerate(lines):
        if line in ("-- ", "--") and len(lines) - at <= 15:
            lines = lines[:at]
            break
    end = len(lines)
    while end and (not lines[end - 1].strip() or DEVICE.match(lines[end - 1].strip())):
        end -= 1
    return lines[:end]
