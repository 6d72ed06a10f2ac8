"""What an audit row says, as bytes that are the same on every database.

A JSON list of every column in a stated order: strings are quoted and `None` is `null`, so no
two different rows have the same bytes. Moments are whole microseconds, objects have sorted
keys, addresses are written in one way. Numbers need care: see `plain_number`.
"""

import hashlib
import ipaddress
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

FIELDS: Final = (
    "id",
    "occurred_at",
    "action",
    "actor_id",
    "actor_ref",
    "actor_name",
    "actor_role",
    "source",
    "target_type",
    "target_id",
    "target_name",
    "before",
    "after",
    "reason",
    "metadata",
    "ip",
    "request_id",
    "kid",
)
# A row as it is read for sealing and verifying: what it says, and its code.
COLUMNS: Final = (*FIELDS, "mac")
_OCCURRED_AT: Final = FIELDS.index("occurred_at")
_IP: Final = FIELDS.index("ip")
# Within these bounds Python writes a float without an exponent, so PostgreSQL's numeric and
# SQLite's text give back the same digits. An exponent would come back as a whole number.
_SMALLEST: Final = 1e-4
_LARGEST: Final = 1e15
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode


def microseconds(moment: datetime) -> int:
    """Return the whole microseconds since 1970 (a float of seconds would round them)."""
    return (moment - _EPOCH) // _MICROSECOND


def canonical(row: Sequence[Any]) -> bytes:
    """Return the bytes of a row given as the values of `FIELDS`."""
    content = list(row)
    content[_OCCURRED_AT] = microseconds(content[_OCCURRED_AT])
    if content[_IP]:
        content[_IP] = _one_spelling(content[_IP])
    return _encode(content).encode()


def encode(value: Any) -> bytes:
    """Return canonical bytes of a JSON value made of texts, whole numbers, lists and objects."""
    return _encode(value).encode()


def row_hash(content: bytes, mac: str) -> str:
    """Return the SHA-256 (hex) that a link of the chain holds of a row and its code."""
    return hashlib.sha256(content + b"|" + mac.encode()).hexdigest()


def plain_number(value: int | float) -> int | float | str:
    """Return a number that both databases give back as it is; others become their text."""
    if isinstance(value, int):
        return value
    if value == 0:
        return 0
    if _SMALLEST <= abs(value) < _LARGEST:
        return int(value) if value.is_integer() else value
    return str(value)


def storable_text(text: str) -> str:
    """Return the text without NUL and lone surrogates, which PostgreSQL cannot store."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


@lru_cache(maxsize=4096)
def _one_spelling(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
