"""How a service key is written: `atk_live_` and 38 letters and digits, the last six a checksum.

The prefix says in a leak what it is, and the checksum lets a scanner (and us, before any query)
tell a key from a text that only looks like one. The same way as GitHub's tokens.
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "atk_live_"
# For secret scanners.
PATTERN: Final = r"atk_live_[0-9A-Za-z]{38}"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 32  # 190 bits
_CHECK: Final = 6


def new_secret() -> str:
    """Return a fresh key."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return PREFIX + body + checksum(body)


def checksum(body: str) -> str:
    """Return the CRC-32 of the random part in base 62, six digits."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def is_well_formed(text: str) -> bool:
    """Return whether a text is written as a key is, with the checksum that belongs to it."""
    if re.fullmatch(PATTERN, text) is None:
        return False
    body = text.removeprefix(PREFIX)
    return checksum(body[:_RANDOM]) == body[_RANDOM:]


def digest_of(secret: str) -> str:
    """Return what is stored of a key: with 190 random bits one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
