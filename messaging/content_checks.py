"""Repeated text in messages: what spam is made of. No database."""

from __future__ import annotations

import hashlib
import re

from messaging.links import LINK, host_of, with_plain_dots

# Shorter texts ("hola, sigue disponible?") are written to many people in good faith.
SHORTEST_REPEATABLE = 24

_NOT_LETTERS = re.compile(r"[\W\d_]+")


def fingerprint(text: str) -> int | None:
    """64 bits that survive case, spacing, digits, punctuation and changed link paths.

    None for texts too short to tell a template from a greeting.
    """
    with_hosts = LINK.sub(lambda m: f" {host_of(m)} ", with_plain_dots(text).casefold())
    letters = _NOT_LETTERS.sub("", with_hosts)
    if len(letters) < SHORTEST_REPEATABLE:
        return None
    digest = hashlib.blake2b(letters.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
