"""Pins in the storage: beside its manifest, a backup is kept for good whatever the rows say.

Each installation has a pin of its own for a backup, so that nobody takes off another's.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

from systemadmin.backups.format.manifest import SUFFIX as MANIFEST
from systemadmin.backups.format.manifest import Signer
from systemadmin.backups.store import Store

PIN = re.compile(r"(?P<backup>[^.]+)\.(?P<installation>[A-Za-z0-9-]{1,36})\.pin\.json")


def name_of(backup: str, installation: str) -> str:
    """Return the pin's file name."""
    return f"{backup}.{installation}.pin.json"


def write(
    store: Store, signer: Signer, salt: bytes, *, backup: str, installation: str, now: datetime
) -> None:
    """Pin a backup for an installation; a second pin changes nothing. Raises `StoreFailed`."""
    if installation in found(store).get(backup, set()):
        return
    body = json.dumps(
        {"pin": backup, "installation": installation, "at": now.isoformat()}, sort_keys=True
    )
    signature = signer.sign(body.encode(), salt)
    data = json.dumps({"body": body, "signature": signature}, indent=1).encode()
    store.write_file(name_of(backup, installation), data)


def remove(store: Store, *, backup: str, installation: str) -> None:
    """Take an installation's own pin off."""
    store.delete_file(name_of(backup, installation))


def found(store: Store) -> dict[str, set[str]]:
    """Return the installations that pin each backup.

    A pin whose signature does not hold counts too: it can only keep a backup from being deleted.
    """
    pins: dict[str, set[str]] = {}
    for name in store.files():
        match = PIN.fullmatch(name)
        if match and not name.endswith(MANIFEST):
            pins.setdefault(match["backup"], set()).add(match["installation"])
    return pins


def holds(store: Store, signer: Signer, *, backup: str, installation: str) -> bool:
    """Return whether an installation's pin is one that was signed with our key."""
    try:
        with store.open(name_of(backup, installation)) as file:
            stored = json.loads(file.read(1 << 16))
        body = json.loads(stored["body"])
    except (ValueError, KeyError, TypeError):
        return False
    stated = (body.get("pin"), body.get("installation"))
    return stated == (backup, installation) and signer.holds(
        stored["body"].encode(), stored["signature"]
    )
