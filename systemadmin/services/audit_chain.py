"""The chain over the audit trail: what a link says, and sealing new rows into it.

`chain(n) = HMAC(key, n, row id, hash of the row, moment, chain(n-1))`. Positions count from 1
without a gap, so a link that is taken out, changed, moved or added does not fit, and nobody can
make one without the key. Links from before they were signed have no key id and are plain hashes;
the first signed link holds the last of them, and a signed statement says where that is.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, Max, Min, OuterRef, QuerySet
from django.utils import timezone

from systemadmin.audit_content import COLUMNS, canonical, microseconds, row_hash
from systemadmin.audit_keys import LINK, AuditKey, current_key
from systemadmin.foundation.locks import named_lock
from systemadmin.models import AuditEntry, AuditSeal
from systemadmin.services.audit_statements import Kind, our_statements, state

GENESIS: Final = hashlib.sha256(b"atalaya audit chain").hexdigest()
BATCH: Final = 2000
# A transaction that took an early key may commit after one with a later key; rows are
# sealed in whatever order they became visible, so nothing has to wait for it. What appears
# later still is sealed by the pass over everything that follows each verification.
LOOK_BACK: Final = 10_000


@dataclass(frozen=True, slots=True)
class End:
    """The last link of the chain, or the beginning of an empty one."""

    position: int = 0
    entry_id: int = 0
    chain_hash: str = GENESIS


def link_message(
    position: int, entry_id: int, hashed: str, sealed_at: datetime, kid: str, previous: str
) -> bytes:
    """Return what a signed link's code is made over; every part has a fixed alphabet."""
    return f"{position}|{entry_id}|{hashed}|{microseconds(sealed_at)}|{kid}|{previous}".encode()


def legacy_link(previous: str, hashed: str) -> str:
    """Return the hash of a link from before links were signed."""
    return hashlib.sha256(f"{previous}{hashed}".encode()).hexdigest()


def chain_end() -> End:
    """Return the last link, from columns that every release has had."""
    columns = ("position", "entry_id", "chain_hash")
    last = AuditSeal.objects.order_by("-position").values_list(*columns).first()
    return End(*last) if last else End()


def seal_audit_trail(*, everything: bool = False) -> int:
    """Add the rows that the chain lacks; return how many. One process at a time seals.

    `everything` also looks for rows that appeared later than the usual look-back.
    """
    sealed = 0
    with named_lock("systemadmin:audit-chain") as held:
        while held:
            with transaction.atomic():
                added = _seal_batch(everything)
            sealed += added
            if added < BATCH:
                break
    return sealed


def _seal_batch(everything: bool) -> int:
    end = chain_end()
    rows = list(_pending(everything).values_list(*COLUMNS)[:BATCH])
    if rows and not our_statements(Kind.ADOPTED):
        _adopt(end)
    links = make_links(end, rows, current_key(), timezone.now())
    AuditSeal.objects.bulk_create(links)
    return len(links)


def make_links(
    end: End, rows: list[tuple[Any, ...]], key: AuditKey, sealed_at: datetime
) -> list[AuditSeal]:
    """Return the signed links of rows (as values of `COLUMNS`) that follow `end`."""
    links, chain = [], end.chain_hash
    for position, row in enumerate(rows, start=end.position + 1):
        hashed = row_hash(canonical(row[:-1]), row[-1])
        message = link_message(position, row[0], hashed, sealed_at, key.kid, chain)
        chain = key.sign(LINK, message)
        links.append(AuditSeal(position, row[0], hashed, chain, sealed_at, key.kid))
    return links


def _pending(everything: bool) -> QuerySet[AuditEntry]:
    newest = AuditSeal.objects.aggregate(newest=Max("entry_id"))["newest"] or 0
    floor = 0 if everything else max(0, newest - LOOK_BACK)
    return unsealed(AuditEntry.objects.filter(id__gt=floor)).order_by("id")


def unsealed(entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """Return those of the rows that have no link."""
    return entries.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("id"))))


def _adopt(end: End) -> None:
    """State once where signed links begin, and which rows are from before key ids.

    Rows without a key id are believed up to `until`, the position of the last of them: a copy
    of one that is slipped in later is not.
    """
    if AuditSeal.objects.exclude(kid="").exists():
        return  # signed links without their statement: the statement was removed
    legacy = AuditEntry.objects.filter(kid="")
    waiting = unsealed(legacy).count()
    first = AuditSeal.objects.order_by("position").first()
    state(
        Kind.ADOPTED,
        end.position,
        {
            "chain": end.chain_hash,
            "until": end.position + waiting,
            "entry": legacy.aggregate(last=Max("id"))["last"] or 0,
            "first": first.position if first else 1,
            "first_chain": first.chain_hash if first else "",
        },
    )


def first_position() -> int:
    """Return the position of the first link that is still kept (0 in an empty chain)."""
    return AuditSeal.objects.aggregate(first=Min("position"))["first"] or 0


def links_at(positions: Iterable[int]) -> dict[int, str]:
    """Return the chain's hashes at these positions, as far as they are kept."""
    wanted, found = sorted(positions), {}
    for start in range(0, len(wanted), BATCH):
        rows = AuditSeal.objects.filter(position__in=wanted[start : start + BATCH])
        found.update(rows.values_list("position", "chain_hash"))
    return found
