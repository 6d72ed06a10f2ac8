"""The signed manifest: what a backup holds, written last, so that its presence means "whole"."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from hashlib import sha256
from typing import Any

from systemadmin.backups.errors import ManifestInvalid
from systemadmin.backups.format import keys

VERSION = 1
SUFFIX = ".manifest.json"
MAX_BYTES = 8 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class Part:
    """One stored file of a backup."""

    kind: str  # "database" or "media"
    name: str
    size: int
    sha256: str
    sealed: bool
    compressed: bool

    def __post_init__(self) -> None:
        # The name is joined to a storage's root: a path in it would read or delete elsewhere.
        if not NAME.fullmatch(self.name):
            raise ManifestInvalid(f"The manifest names an impossible file: {self.name!r}.")
        if self.kind not in ("database", "media"):
            raise ManifestInvalid(f"The manifest holds a part of an unknown kind: {self.kind!r}.")


@dataclass(frozen=True)
class Table:
    """What one table held in the snapshot; the checksum does not depend on the rows' order."""

    rows: int
    checksum: str = ""


@dataclass(frozen=True)
class Manifest:
    """Everything needed to judge and restore a backup without the database it came from."""

    name: str
    taken_at: datetime
    engine: str
    engine_version: str
    database: str
    app_version: str
    migrations: list[str]
    tables: dict[str, Table]
    parts: list[Part]
    extensions: list[str] = field(default_factory=list)
    trigger: str = "manual"
    note: str = ""
    actor: str = ""
    media_files: int = 0
    duration_seconds: float = 0.0
    # The signed head of the audit trail: proof, outside the database, of how far it went.
    audit_head: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    installation: str = ""
    installation_name: str = ""

    def part(self, kind: str) -> Part | None:
        return next((part for part in self.parts if part.kind == kind), None)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


@dataclass(frozen=True)
class Signer:
    """Signs with a key from the passphrase where there is one, else from the secret key.

    `older_secrets` still verify, as Django's SECRET_KEY_FALLBACKS do.
    """

    passphrase: str = ""
    secret: str = ""
    older_secrets: tuple[str, ...] = ()

    def sign(self, body: bytes, salt: bytes) -> dict[str, str]:
        by = "passphrase" if self.passphrase else "secret-key"
        key = self._keys(by, salt)[0]
        return {"by": by, "salt": salt.hex(), "hmac": _hmac(key, body)}

    def holds(self, body: bytes, signature: dict[str, str]) -> bool:
        try:
            candidates = self._keys(signature["by"], bytes.fromhex(signature["salt"]))
            stated = str(signature["hmac"])
        except (KeyError, TypeError, ValueError):
            return False
        return any(hmac.compare_digest(_hmac(key, body), stated) for key in candidates)

    def _keys(self, by: str, salt: bytes) -> list[bytes]:
        if by == "passphrase":
            roots = [keys.passphrase_key(self.passphrase, salt)] if self.passphrase else []
        elif by == "secret-key":
            secrets = [s for s in (self.secret, *self.older_secrets) if s]
            roots = [keys.secret_key(secret) for secret in secrets]
        else:
            roots = []
        return [keys.subkey(root, "manifest", salt) for root in roots]


def _hmac(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, sha256).hexdigest()


def pack(manifest: Manifest) -> str:
    """Return the manifest's body as text, unsigned."""
    body = {"version": VERSION, **asdict(manifest), "taken_at": manifest.taken_at.isoformat()}
    return json.dumps(body, sort_keys=True, ensure_ascii=False)


def dump(manifest: Manifest, signer: Signer, salt: bytes) -> bytes:
    """Return the manifest as stored: the body is one JSON string, so the signed text is exact."""
    text = pack(manifest)
    signature = signer.sign(text.encode(), salt)
    stored = {"atalaya_backup": VERSION, "body": text, "signature": signature}
    return json.dumps(stored, indent=1).encode()


def load(data: bytes, signers: Signer | Iterable[Signer]) -> Manifest:
    """Return the manifest if its signature holds; raises ManifestInvalid with what is wrong."""
    signers = [signers] if isinstance(signers, Signer) else list(signers)
    if len(data) > MAX_BYTES:
        raise ManifestInvalid("The manifest is too large to be one.")
    try:
        stored = json.loads(data)
        text, signature, version = stored["body"], stored["signature"], stored["atalaya_backup"]
        body = text.encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestInvalid("The manifest cannot be read.") from error
    if version != VERSION:
        raise ManifestInvalid(f"The manifest is of version {version!r}; this one reads {VERSION}.")
    if not any(signer.holds(body, signature) for signer in signers):
        raise ManifestInvalid(
            "The manifest's signature does not hold: it was changed, or signed with another "
            "passphrase or secret key."
        )
    return unpack(text)


def salt_of(data: bytes) -> bytes | None:
    """Return the salt that a stored manifest was signed with, for use by the next one."""
    try:
        salt = bytes.fromhex(json.loads(data)["signature"]["salt"])
    except (ValueError, KeyError, TypeError):
        return None
    return salt if len(salt) == keys.SALT_BYTES else None


def unpack(text: str) -> Manifest:
    """Return what `pack` made; ManifestInvalid when a field is missing or wrong."""
    body: dict[str, Any] = json.loads(text)
    known = {item.name for item in fields(Manifest)}
    values = {name: value for name, value in body.items() if name in known}
    try:
        values["taken_at"] = datetime.fromisoformat(values["taken_at"])
        values["parts"] = [Part(**part) for part in values["parts"]]
        values["tables"] = {name: Table(**table) for name, table in values["tables"].items()}
        return Manifest(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestInvalid("The manifest lacks a field or holds a wrong one.") from error
