"""Secrets at rest: authenticated encryption and keyed hashes under keys derived from SECRET_KEY."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PREFIX: Final = "v1:"
_NONCE_BYTES: Final = 12


class DecryptionFailed(ValueError):
    """The text was not made by any of the configured keys, or was changed since."""


def derive_key(master: str, use: str) -> bytes:
    """Return the 32-byte key for one use, from a secret text of any length."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=b"atalaya", info=use.encode())
    return hkdf.derive(master.encode())


def _keys(use: str) -> Iterator[bytes]:
    """Yield the current key first, then those of the retired secret keys that may still be read."""
    for master in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield derive_key(master, use)


def encrypt_secret(value: str, *, purpose: str = "secret") -> str:
    """Return the value encrypted with AES-256-GCM; only the same purpose can read it back."""
    nonce = os.urandom(_NONCE_BYTES)
    key = next(_keys("encrypt:" + purpose))
    sealed = AESGCM(key).encrypt(nonce, value.encode(), purpose.encode())
    return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt_secret(token: str, *, purpose: str = "secret") -> str:
    """Return the value behind encrypt_secret's text, or DecryptionFailed."""
    try:
        raw = base64.b64decode(token.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecryptionFailed("not an encrypted value") from error
    if not token.startswith(_PREFIX) or len(raw) <= _NONCE_BYTES:
        raise DecryptionFailed("not an encrypted value")
    for key in _keys("encrypt:" + purpose):
        try:
            plain = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode())
        except InvalidTag:
            continue
        return plain.decode()
    raise DecryptionFailed("no configured key opens this value")


def keyed_hash(value: str, *, purpose: str) -> str:
    """HMAC-SHA256 in hexadecimal: useless to whoever steals the table without SECRET_KEY."""
    return _hmac(next(_keys("hash:" + purpose)), value)


def keyed_hashes(value: str, *, purpose: str) -> list[str]:
    """Return the hash under every key that may still be read, for looking a stored one up."""
    return [_hmac(key, value) for key in _keys("hash:" + purpose)]


def keyed_hash_matches(value: str, digest: str, *, purpose: str) -> bool:
    """Return whether the digest belongs to the value, compared in constant time."""
    return any(
        hmac.compare_digest(candidate, digest) for candidate in keyed_hashes(value, purpose=purpose)
    )


def _hmac(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def keyed_tag(message: bytes, *, purpose: str) -> bytes:
    """HMAC-SHA256 of a message that is handed out and comes back."""
    return hmac.digest(next(_keys("tag:" + purpose)), message, "sha256")


def keyed_tag_matches(message: bytes, tag: bytes, *, purpose: str) -> bool:
    """Return whether the tag, or its first bytes, was made by a key that may still be read."""
    return any(
        hmac.compare_digest(hmac.digest(key, message, "sha256")[: len(tag)], tag)
        for key in _keys("tag:" + purpose)
    )
