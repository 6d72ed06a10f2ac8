"""Signed statements about the chain: made here, read here, kept inside and outside the database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from systemadmin.audit_content import encode, microseconds
from systemadmin.audit_keys import STATEMENT, current_key, is_signed
from systemadmin.models import AuditStatement

Kind = AuditStatement.Kind


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement wherever it is kept; `source` says where it was read."""

    kind: str
    position: int
    body: Mapping[str, Any]
    made_at: datetime
    kid: str
    signature: str
    source: str = "database"

    @property
    def is_ours(self) -> bool:
        """True when a known key signed exactly this."""
        message = _message(self.kind, self.position, self.body, self.made_at, self.kid)
        return is_signed(self.kid, STATEMENT, message, self.signature)

    def as_json(self) -> dict[str, Any]:
        """Return what a file or a manifest holds."""
        return {
            "kind": self.kind,
            "position": self.position,
            "body": dict(self.body),
            "made_at": self.made_at.isoformat(),
            "kid": self.kid,
            "signature": self.signature,
        }


def _message(
    kind: str, position: int, body: Mapping[str, Any], made_at: datetime, kid: str
) -> bytes:
    return encode([kind, position, dict(body), microseconds(made_at), kid])


def sign_statement(kind: str, position: int, body: Mapping[str, Any]) -> Statement:
    """Return a statement of this moment, signed with the current key."""
    key, made_at = current_key(), timezone.now()
    message = _message(kind, position, body, made_at, key.kid)
    return Statement(kind, position, body, made_at, key.kid, key.sign(STATEMENT, message))


def store_statement(statement: Statement) -> AuditStatement:
    """Keep a statement in the database."""
    return AuditStatement.objects.create(
        kind=statement.kind,
        position=statement.position,
        body=dict(statement.body),
        made_at=statement.made_at,
        kid=statement.kid,
        signature=statement.signature,
    )


def state(kind: str, position: int, body: Mapping[str, Any]) -> Statement:
    """Sign and keep a statement; return it."""
    statement = sign_statement(kind, position, body)
    store_statement(statement)
    return statement


def stored_statements(*kinds: str) -> Iterator[Statement]:
    """Yield the database's statements of these kinds, oldest first, signed by us or not."""
    rows = AuditStatement.objects.order_by("id")
    if kinds:
        rows = rows.filter(kind__in=kinds)
    for row in rows.iterator(chunk_size=2000):
        yield Statement(row.kind, row.position, row.body, row.made_at, row.kid, row.signature)


def our_statements(*kinds: str) -> list[Statement]:
    """Return those of the database's statements that carry our signature, oldest first."""
    return [found for found in stored_statements(*kinds) if found.is_ours]


def parse_statement(data: Any, source: str) -> Statement:
    """Return a statement as `as_json` made it; raises `ValueError` when it is none."""
    try:
        made_at = parse_datetime(data["made_at"])
        if made_at is None or made_at.tzinfo is None or not isinstance(data["body"], dict):
            raise ValueError("not a statement")
        texts = [data[name] for name in ("kind", "kid", "signature")]
        if not all(isinstance(text, str) for text in texts) or type(data["position"]) is not int:
            raise ValueError("not a statement")
    except (KeyError, TypeError) as error:
        raise ValueError("not a statement") from error
    return Statement(
        data["kind"],
        data["position"],
        data["body"],
        made_at,
        data["kid"],
        data["signature"],
        source,
    )
