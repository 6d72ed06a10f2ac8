"""The keys that authenticate the audit trail: never in the database, told apart by an id.

The current key is the first of `AUDIT_KEYS`, else it is derived from `SECRET_KEY`. All the
others (and the fallbacks of the secret key) go on verifying what was signed with them.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.conf import settings

from systemadmin.foundation.crypto import derive_key

ROW: Final = "row"
LINK: Final = "link"
STATEMENT: Final = "statement"


@dataclass(frozen=True, slots=True)
class AuditKey:
    """One key: its public id, and an independent subkey per use."""

    kid: str
    row: bytes
    link: bytes
    statement: bytes

    def sign(self, use: str, message: bytes) -> str:
        """Return the HMAC-SHA256 of the message in hexadecimal."""
        return hmac.digest(getattr(self, use), message, "sha256").hex()


@lru_cache(maxsize=64)
def _key(master: str) -> AuditKey:
    # The id is a hash of a subkey of its own, so that it says nothing about the others.
    kid = hashlib.sha256(derive_key(master, "audit:id")).hexdigest()[:12]
    return AuditKey(kid, *(derive_key(master, f"audit:{use}") for use in (ROW, LINK, STATEMENT)))


def _masters() -> tuple[str, ...]:
    return (*settings.AUDIT_KEYS, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=8)
def _ring(masters: tuple[str, ...]) -> dict[str, AuditKey]:
    return {key.kid: key for key in map(_key, masters)}


def current_key() -> AuditKey:
    """Return the key that signs now."""
    return _key(_masters()[0])


def known_keys() -> dict[str, AuditKey]:
    """Return every key that may still be read, by id."""
    return _ring(_masters())


def is_signed(kid: str, use: str, message: bytes, signature: str) -> bool:
    """Return True when a known key of that id made the signature over this very message."""
    key = known_keys().get(kid)
    return key is not None and hmac.compare_digest(
        key.sign(use, message).encode(), signature.encode()
    )
