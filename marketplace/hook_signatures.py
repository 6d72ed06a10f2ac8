"""Checks the signatures of what payment services send: Stripe's scheme, and plain HMAC."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

TOLERANCE_SECONDS: Final = 300
ALGORITHMS: Final = ("sha256", "sha384", "sha512")
ENCODINGS: Final = ("hex", "base64")


def is_stripes(
    header: str, body: bytes, secrets: Sequence[str], *, now: int, tolerance: int
) -> bool:
    """Return whether `Stripe-Signature` (`t=…,v1=…,v1=…`) signs a body with one of the secrets."""
    stamp, signatures = "", []
    for part in header.split(","):
        name, _equals, value = part.strip().partition("=")
        if name == "t" and not stamp:
            stamp = value
        elif name == "v1":
            signatures.append(value)
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 15):
        return False
    if abs(now - int(stamp)) > tolerance:
        return False
    return _matches(signatures, stamp.encode() + b"." + body, secrets, "sha256", "hex")


def is_signed(
    signature: str,
    body: bytes,
    secrets: Sequence[str],
    *,
    algorithm: str = "sha256",
    encoding: str = "hex",
    prefix: str = "",
) -> bool:
    """Return whether a header is the HMAC of a body with one of the secrets."""
    given = signature.strip().removeprefix(prefix)
    return _matches([given], body, secrets, algorithm, encoding)


def _matches(
    given: Sequence[str], content: bytes, secrets: Sequence[str], algorithm: str, encoding: str
) -> bool:
    expected = []
    for secret in secrets:
        digest = hmac.new(secret.encode(), content, getattr(hashlib, algorithm)).digest()
        text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
        expected.append(text.encode())
    found = False
    for one in given:
        for wanted in expected:
            found |= hmac.compare_digest(one.encode("utf-8", "replace"), wanted)
    return found
