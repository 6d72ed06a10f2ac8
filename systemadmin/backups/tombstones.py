"""Tombstones in the storage: a restore erases again what was erased since the backup was taken.

They lie beside the backups, not in the database, for a restore replaces that. A tombstone holds
the number of an account and when its row was made, and nothing else about anybody.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from systemadmin.backups.errors import StoreFailed
from systemadmin.backups.format.manifest import Signer
from systemadmin.backups.store import Store
from systemadmin.models import User

TOMBSTONE = re.compile(
    r"erased-(?:(?P<part>[a-z]+)-)?(?P<account>\d+)(?:-\d+)?\.(?P<installation>[A-Za-z0-9-]{1,36})\.json"
)
_MOST_BYTES = 1 << 16
# Names the file by which a restore hands tombstones to its child process.
HANDED_OVER = "ERASED_ACCOUNTS_FILE"


@dataclass(frozen=True)
class Tombstone:
    """An account that was erased. Numbers come again after a restore: `registered_at` tells whose.

    `part` names what of the account was erased (`messages`); empty for the whole account.
    Tombstones of older releases have `joined_at`, which the platform may change, in its stead.
    """

    account: int
    erased_at: str
    installation: str
    registered_at: str = ""
    part: str = ""
    joined_at: str = ""

    def is_of(self, user: User) -> bool:
        """Return whether the account with this number is the one that was erased."""
        if self.registered_at:
            return self.registered_at == user.registered_at.isoformat()
        return self.joined_at == user.date_joined.isoformat()

    def counts_for(self, taken_at: datetime) -> bool:
        """Return whether a backup of that moment has to be erased again.

        A part is erased at a moment, and the account goes on: later backups hold what came since.
        An erased account never comes back.
        """
        return not self.part or datetime.fromisoformat(self.erased_at) >= taken_at


def name_of(account: int, installation: str) -> str:
    """Return the tombstone's file name."""
    return f"erased-{account}.{installation}.json"


def write_part(
    store: Store,
    signer: Signer,
    salt: bytes,
    *,
    stone: Tombstone,
) -> None:
    """Set the tombstone of a part of an account; each erasure has its own. Raises `StoreFailed`."""
    moment = int(datetime.fromisoformat(stone.erased_at).timestamp() * 1000)
    name = f"erased-{stone.part}-{stone.account}-{moment}.{stone.installation}.json"
    if name not in store.files():
        _write(store, signer, salt, name, stone)


def write(
    store: Store,
    signer: Signer,
    salt: bytes,
    *,
    account: int,
    installation: str,
    registered_at: datetime,
    now: datetime,
) -> None:
    """Set a tombstone; setting it again changes nothing. Raises `StoreFailed`."""
    name = name_of(account, installation)
    stone = Tombstone(account, now.isoformat(), installation, registered_at.isoformat())
    if name in store.files():
        known = _read(store, signer, name)
        if known is not None and known.registered_at == stone.registered_at:
            return
        store.delete_file(name)
    _write(store, signer, salt, name, stone)


def _write(store: Store, signer: Signer, salt: bytes, name: str, stone: Tombstone) -> None:
    body = json.dumps(asdict(stone), sort_keys=True)
    signature = signer.sign(body.encode(), salt)
    store.write_file(name, json.dumps({"body": body, "signature": signature}, indent=1).encode())


def found(
    store: Store, signer: Signer, installation: str, *, taken_at: datetime | None = None
) -> list[Tombstone]:
    """Return an installation's tombstones, all or those that count for a backup of a moment.

    One whose signature does not hold raises `StoreFailed`: ignored, it would bring a person back;
    believed, it would erase whom its writer likes.
    """
    stones = []
    for name in sorted(store.files()):
        match = TOMBSTONE.fullmatch(name)
        if match is None or match["installation"] != installation:
            continue
        stone = _read(store, signer, name)
        if stone is None:
            raise StoreFailed(
                f"The tombstone {name} cannot be verified: it was changed, or signed with another"
                " passphrase or secret key. Delete it only when you know whose account it names."
            )
        if taken_at is None or stone.counts_for(taken_at):
            stones.append(stone)
    return stones


@contextmanager
def handed_over(stones: list[Tombstone]) -> Iterator[dict[str, str]]:
    """Yield environment for a child process that shall erase these again; see `received`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([asdict(stone) for stone in stones], file)
        file.flush()
        yield {HANDED_OVER: file.name}


def received() -> list[Tombstone]:
    """Return what the parent process handed over; none where there is no such parent."""
    path = os.environ.get(HANDED_OVER)
    if not path:
        return []
    with open(path) as file:
        return [Tombstone(**values) for values in json.load(file)]


def _read(store: Store, signer: Signer, name: str) -> Tombstone | None:
    try:
        with store.open(name) as file:
            stored = json.loads(file.read(_MOST_BYTES))
        body, signature = stored["body"], stored["signature"]
        stone = Tombstone(**json.loads(body))
    except (ValueError, KeyError, TypeError):
        return None
    return stone if signer.holds(body.encode(), signature) else None
