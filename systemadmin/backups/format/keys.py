"""Keys from a passphrase (scrypt) or from the secret key, split by purpose (HKDF)."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SALT_BYTES = 16
KEY_BYTES = 32
# One of OWASP's equivalent settings; this one needs 32 MiB instead of 128.
SCRYPT_LOG_N = 15
SCRYPT_R = 8
SCRYPT_P = 3


@lru_cache(maxsize=64)
def passphrase_key(
    passphrase: str, salt: bytes, log_n: int = SCRYPT_LOG_N, r: int = SCRYPT_R, p: int = SCRYPT_P
) -> bytes:
    """Derive the key of a passphrase, which is slow.

    One installation reuses one salt, so that a list of backups costs it once.
    """
    if not (10 <= log_n <= 20 and 1 <= r <= 16 and 1 <= p <= 16):
        # The parameters come from a file: a hostile one must not make us allocate gigabytes.
        raise ValueError("scrypt parameters out of bounds")
    return Scrypt(salt=salt, length=KEY_BYTES, n=1 << log_n, r=r, p=p).derive(passphrase.encode())


def subkey(key: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """Return an independent key for one purpose, and for one file when given the file's salt."""
    info = f"atalaya backup {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt or None, info=info).derive(key)


def secret_key(secret: str) -> bytes:
    """Return the root of the manifest's signature where no passphrase is set."""
    return subkey(secret.encode(), "secret-key root")


def cipher(key: bytes) -> AESGCM:
    return AESGCM(key)
