"""The hosts that a text leads to, as browsers read them and as people do. No database.

A browser does more with an address than `urllib.parse`: it takes a backslash for a slash, leaves
out tabs and line breaks, decodes `%2e` and maps full-width letters and ideographic dots. `ada_url`
does the same (the WHATWG URL standard). People also follow what no browser opens at once:
`bad[.]com`, a bare domain, a dot that only looks like one. Each reading of a text is linear.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from urllib.parse import unquote

import ada_url

LONGEST_HOST = 253
# A host may be written nine characters for each one: `%E3%80%82` is a dot.
_LONGEST_WRITTEN = LONGEST_HOST * 9

_INVISIBLE = dict.fromkeys(
    [0x00AD, 0x034F, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)]
    + [*range(0x2060, 0x2070), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080)]
)
# Dots for browsers, and characters that look like one between letters.
_DOTS = dict.fromkeys(
    map(ord, "\u3002\uff61\u0701\u0702\ua4f8\ua60e\U00010a50\u00b7\u2027\u2022\u2219\u22c5\u30fb"),
    ".",
)
_NOT_IN_A_LINK = dict.fromkeys(map(ord, "\t\r\n"))
_TLDS = (
    "com|net|org|info|biz|shop|store|site|online|xyz|top|club|live|link|click|app|dev|io|co|me|ly|"
    "gg|tv|ru|cn|de|fr|es|it|pt|uk|us|mx|ar|br|cl|pe|ve|ec|uy|bo|py|cr|pa|do|gt|eu|cc|to|ws|su|pw|"
    "icu|vip|fun|buzz|pro|finance|exchange|crypto|eth|gift|win|bet|money|cash|wallet|help|support"
)
_LABELS = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+"
_SCHEME = r"(?:h(?:tt|xx)ps?|ftp|wss?):[/\\]*|www\."
_REST = r"(?:[/\\?#]\S*)?"


def _pattern(bare: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?:(?:{_SCHEME})(?P<full>[^\s/\\?#<>\"']+)"
        rf"|(?<![\w:/\\])[/\\]{{2,}}(?P<relative>[^\s/\\?#<>\"']+\.[^\s/\\?#<>\"'.]+))"
        rf"|(?<![\w@.-])(?P<bare>{_LABELS}{bare})(?![\w-])){_REST}",
        re.IGNORECASE,
    )


LINK = _pattern(f"(?:{_TLDS})")
# Only for comparison with a list: `3.5` and `foto.jpg` have this form too.
_NAMED = _pattern(r"[^\W\d_][\w-]{1,62}")
_AS_WRITTEN = re.compile(
    rf"(?:(?:https?|ftp|wss?):[/\\]*|(?<![\w:/\\])[/\\]{{2,}})([^\s/\\?#]+){_REST}", re.IGNORECASE
)
# Only on text whose white space is single: a run of it would be tried again from each place.
_SPELLED_DOT = re.compile(r"\s?[\[({]\s?(?:\.|dot|punto)\s?[\])}]\s?", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_TRIMMED = ".,;:!()[]{}<>\"'«»“”…"


def normalise(text: str) -> str:
    """Return the text without invisible characters, look-alike forms and runs of white space."""
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain)


def with_plain_dots(text: str) -> str:
    """Return the normalised text with every dot, spelled or look-alike, as a full stop."""
    return _SPELLED_DOT.sub(".", normalise(text).translate(_DOTS))


def link_hosts(text: str) -> list[str]:
    """Return the hosts a text links to, in order, also when written bare or as `shop[.]example`."""
    found = [host for host in map(host_of, LINK.finditer(with_plain_dots(text))) if host]
    # What a browser opens and a reader does not see: `shop.example／@bad.com`.
    opened = dict.fromkeys(_browser_hosts(text))
    return found + [host for host in opened if host and host not in set(found)]


def every_host(text: str) -> list[str]:
    """Return every host that a browser or a reader may take from the text, for a look-up."""
    joined = text.translate(_NOT_IN_A_LINK)
    found = [*link_hosts(text), *_browser_hosts(joined)]
    for reading in dict.fromkeys((text, unquote(text), joined)):
        found += map(host_of, _NAMED.finditer(with_plain_dots(reading)))
    return [host for host in dict.fromkeys(found) if host]


def _browser_hosts(text: str) -> Iterator[str]:
    for match in _AS_WRITTEN.finditer(text):
        written = match[1].rpartition("@")[2]
        yield _parsed(written) or ""
        yield _parsed(written.strip(_TRIMMED)) or ""


def host_of(match: re.Match[str]) -> str:
    """Return the host of a link that `LINK` found."""
    authority = match["full"] or match["relative"] or match["bare"]
    written = authority.rpartition("@")[2].strip(_TRIMMED)
    return _parsed(written) or _plain(written.partition(":")[0])


def _parsed(written: str) -> str | None:
    """Return the host that a browser opens; None for what it refuses to open."""
    try:
        parts = ada_url.parse_url(f"https://{written[-_LONGEST_WRITTEN:]}", ("hostname",))
    except ValueError:
        return None
    return _plain(parts["hostname"])


def _plain(host: str) -> str:
    # No name in DNS is longer; what is, is compared by its end.
    return host.casefold().strip(_TRIMMED).removeprefix("www.")[-LONGEST_HOST:]


def refused_host(hosts: Collection[str], refused: Collection[str]) -> str | None:
    """Return the first host that is on the list, or under a domain that is."""
    listed = _listed(tuple(refused))
    for host in hosts if listed else ():
        labels = host.split(".")
        if any(".".join(labels[start:]) in listed for start in range(len(labels))):
            return host
    return None


@lru_cache(maxsize=8)
def _listed(refused: tuple[str, ...]) -> frozenset[str]:
    """Return the domains of a list in the form in which hosts are compared."""
    plain = (entry.strip().strip(".") for entry in refused)
    return frozenset(_parsed(entry) or _plain(entry) for entry in plain if entry)
