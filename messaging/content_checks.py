"""Links and repeated text in a message: what spam is made of. No database."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

# Shorter texts ("hola, sigue disponible?") are written to many people in good faith.
SHORTEST_REPEATABLE = 24
LONGEST_HOST = 253

_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x180E])
_TLDS = (
    "com|net|org|info|biz|shop|store|site|online|xyz|top|club|live|link|click|app|dev|io|co|me|ly|"
    "gg|tv|ru|cn|de|fr|es|it|pt|uk|us|mx|ar|br|cl|pe|ve|ec|uy|bo|py|cr|pa|do|gt|eu|cc|to|ws|su|pw|"
    "icu|vip|fun|buzz|pro|finance|exchange|crypto|eth|gift|win|bet|money|cash|wallet|help|support"
)
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
_LINK = re.compile(
    rf"(?:(?:(?:h(?:tt|xx)ps?|ftp)://|www\.)(?P<full>[^\s/?#<>\"']+)"
    rf"|(?<![\w@.-])(?P<bare>{_HOST}(?:{_TLDS}))(?![\w-]))(?:[/?#]\S*)?",
    re.IGNORECASE,
)
# Only on text whose white space is single: a run of it would be tried again from each place.
_SPELLED_DOT = re.compile(r"\s?[\[({]\s?(?:\.|dot|punto)\s?[\])}]\s?", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_NOT_LETTERS = re.compile(r"[\W\d_]+")


def normalise(text: str) -> str:
    """The text without invisible characters, look-alike forms and runs of white space."""
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain)


def link_hosts(text: str) -> list[str]:
    """The hosts a text links to, in order, also when written bare or as `shop[.]example`."""
    plain = _SPELLED_DOT.sub(".", normalise(text))
    return [_host(match.group("full") or match.group("bare")) for match in _LINK.finditer(plain)]


def _host(authority: str) -> str:
    host = authority.rpartition("@")[2].casefold()
    host = host.partition(":")[0].strip(".,;!()[]{}")
    # No name in DNS is longer; what is, is compared by its end.
    return host.removeprefix("www.")[-LONGEST_HOST:]


def refused_host(hosts: Collection[str], refused: Collection[str]) -> str | None:
    """The first host that is on the list, or under a domain that is."""
    listed = {entry.casefold().removeprefix("www.").strip(".") for entry in refused if entry}
    for host in hosts:
        labels = host.split(".")
        if any(".".join(labels[start:]) in listed for start in range(len(labels))):
            return host
    return None


def fingerprint(text: str) -> int | None:
    """64 bits that survive case, spacing, digits, punctuation and changed link paths.

    None for texts too short to tell a template from a greeting.
    """
    plain = _SPELLED_DOT.sub(".", normalise(text)).casefold()
    with_hosts = _LINK.sub(lambda m: " " + _host(m.group("full") or m.group("bare")) + " ", plain)
    letters = _NOT_LETTERS.sub("", with_hosts)
    if len(letters) < SHORTEST_REPEATABLE:
        return None
    digest = hashlib.blake2b(letters.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
