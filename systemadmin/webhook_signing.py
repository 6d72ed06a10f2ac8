"""Signs webhook messages as the Standard Webhooks specification 1.0 says.

`webhook-signature` is `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; while a secret is
being rotated it holds one signature per secret, separated by a space.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
MIN_BYTES, MAX_BYTES = 24, 64
TOLERANCE_SECONDS = 300


def new_secret() -> str:
    """Return a fresh secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_bytes(secret: str) -> bytes:
    """Decode a `whsec_` secret; a malformed one or one of the wrong length is a ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a webhook secret is whsec_ followed by base64") from error
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise ValueError("a webhook secret has 24 to 64 bytes")
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `v1` signature of a message."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    digest = hmac.new(secret_bytes(secret), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(
    secrets_: Sequence[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the three headers of a message, signed with every secret in force."""
    signatures = " ".join(sign(secret, message_id, timestamp, body) for secret in secrets_)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
    }


def verify(secret: str, message_id: str, timestamp: int, body: bytes, signatures: str) -> bool:
    """Return whether one of the signatures in the header is ours, compared in constant time."""
    expected = sign(secret, message_id, timestamp, body)
    return any(hmac.compare_digest(expected, given) for given in signatures.split(" "))
