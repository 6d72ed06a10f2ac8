"""What a person wrote: bytes of any charset to text, HTML to text, quotes and signatures cut."""

import re
from html.parser import HTMLParser

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
# Codecs that are no charsets: decoding with them would change what was written.
NOT_CHARSETS = ("unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs")
MAX_TEXT = 200_000
REPLY_MARK = "##- ✂ -##"


def decode_text(data: bytes, charset: str | None) -> str:
    """Text from bytes: the declared charset if it works, else UTF-8, else Windows-1252."""
    declared = (charset or "").strip().strip("'\"").lower()
    declared = CHARSET_ALIASES.get(declared, declared)
    for candidate in (declared, "utf-8"):
        if not candidate or candidate.replace("-", "_") in NOT_CHARSETS:
            continue
        try:
            return clean_text(data.decode(candidate))
        except (LookupError, UnicodeError, ValueError):
            continue
    return clean_text(data.decode("cp1252", "replace"))


def clean_text(text: str) -> str:
    """Text any database takes: no NUL, no half characters, plain line ends."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    return text.encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]


BLOCKS = frozenset(
    ["address", "article", "blockquote", "dd", "div", "dl", "dt", "figure", "footer", "form", "h1",
     "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section",
     "table", "tr", "ul"]
)  # fmt: skip
SILENT = frozenset(["head", "script", "style", "title", "template", "noscript", "svg"])
VOID = frozenset(["br", "hr", "img", "input", "meta", "link", "area", "base", "col", "wbr"])


class _TextOfHtml(HTMLParser):
    """Collects readable lines; quoted blocks get the ">" that plain mail has."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self.quotes: list[str] = []
        self.silent: list[str] = []
        self.link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in SILENT:
            self.silent.append(tag)
        if tag in ("br", *BLOCKS):
            self._break(force=tag == "br")
        if tag == "blockquote" or "gmail_quote" in values.get("class", "").split():
            self.quotes.append(tag)
        elif tag in self.quotes[-1:] and tag not in VOID:
            # A quoted <div> holds more of its kind: count them to find its end.
            self.quotes.append("")
        if tag == "li":
            self._write("- ")
        if tag == "td":
            self._write(" ")
        if tag == "img" and values.get("alt"):
            self._write(f"[{values['alt']}]")
        if tag == "a":
            self.link = values.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.silent:
            del self.silent[self.silent.index(tag) :]
        if tag == "a":
            href, self.link = self.link, ""
            if href.startswith(("http://", "https://")) and href not in self.lines[-1]:
                self._write(f" <{href}>")
        if tag in BLOCKS:
            self._break()
            self._leave_quote(tag)

    def _leave_quote(self, tag: str) -> None:
        if tag == "blockquote" and "blockquote" in self.quotes:
            del self.quotes[len(self.quotes) - 1 - self.quotes[::-1].index("blockquote") :]
        elif tag == "div" and self.quotes and self.quotes[-1] in ("div", ""):
            self.quotes.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self._write(re.sub(r"\s+", " ", data))

    def _write(self, text: str) -> None:
        line = self.lines[-1]
        if not line:
            text = text.lstrip()
            if text:
                line = "> " * sum(1 for q in self.quotes if q)
        self.lines[-1] = line + text

    def _break(self, *, force: bool = False) -> None:
        if force or self.lines[-1].strip():
            self.lines.append("")


def html_to_text(html: str) -> str:
    """Readable text of an HTML body, never its scripts, styles or remote images."""
    parser = _TextOfHtml()
    parser.feed(html)
    parser.close()
    text = "\n".join(line.rstrip() for line in parser.lines)
    return clean_text(re.sub(r"\n{3,}", "\n\n", text).strip().replace("\xa0", " "))


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
        rest = lines[at + length :]
        quoted = [i for i, row in enumerate(rest) if row.lstrip().startswith(">")]
        if not quoted:
            return lines[:at]
        own = [i for i, row in enumerate(rest) if row.strip() and i not in set(quoted)]
        below = [i for i in own if i > quoted[-1]]
        between = [i for i in own if quoted[0] < i < quoted[-1]]
        if between:
            return lines  # answers between the quoted lines make no sense without them
        return lines[:at] + (rest[quoted[-1] + 1 :] if below else [])
    return lines


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
        if WROTE.match(" ".join(row.strip() for row in lines[at : at + length])):
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
    while lines and (not lines[-1].strip() or DEVICE.match(lines[-1].strip())):
        lines = lines[:-1]
    return lines
