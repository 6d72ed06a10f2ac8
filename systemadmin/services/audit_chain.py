"""The hash chain over the audit trail: sealing, verifying, retiring.

`chain(n) = SHA-256(chain(n-1) || row_hash(n))`. A changed row no longer matches its
link, a removed one leaves a link without a row, an inserted one has no authentication
code, and links themselves cannot be rewritten without changing every later one; the
newest chain hash is what an auditor notes down outside this machine.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from systemadmin import audit
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.sockets import setting
from systemadmin.models import AuditEntry, AuditSeal
from systemadmin.querysets.audit import older_than
from systemadmin.services.backups import backup_since

GENESIS = hashlib.sha256(b"atalaya audit chain").hexdigest()
BATCH = 1000
# A transaction that took an early key may commit after one with a later key; rows are
# sealed in whatever order they became visible, so nothing has to wait for it.
LOOK_BACK = 10_000


@dataclass(slots=True)
class ChainReport:
    """What verification found; `faults` are (kind, audit entry id)."""

    checked: int = 0
    unsealed: int = 0
    head: str = GENESIS
    faults: list[tuple[str, int]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True when nothing was removed, changed or inserted."""
        return not self.faults


def _link(previous: str, row_hash: str) -> str:
    return hashlib.sha256(f"{previous}{row_hash}".encode()).hexdigest()


def seal_audit_trail() -> int:
    """Add the rows that the chain lacks; return how many. One process at a time seals."""
    sealed = 0
    with named_lock("systemadmin:audit-chain") as held:
        while held:
            with transaction.atomic():
                added = _seal_batch()
            sealed += added
            if added < BATCH:
                break
    return sealed


def _seal_batch() -> int:
    last = AuditSeal.objects.order_by("-position").first()
    position, chain = (last.position, last.chain_hash) if last else (0, GENESIS)
    links = []
    for entry in _pending():
        position += 1
        row_hash = audit.row_hash(entry)
        chain = _link(chain, row_hash)
        links.append(
            AuditSeal(
                position=position,
                entry_id=entry.pk,
                row_hash=row_hash,
                chain_hash=chain,
                sealed_at=timezone.now(),
            )
        )
    AuditSeal.objects.bulk_create(links)
    return len(links)


def _pending() -> list[AuditEntry]:
    newest = AuditSeal.objects.order_by("-entry_id").values_list("entry_id", flat=True).first()
    floor = max(0, (newest or 0) - LOOK_BACK)
    known = set(AuditSeal.objects.filter(entry_id__gt=floor).values_list("entry_id", flat=True))
    rows = AuditEntry.objects.filter(id__gt=floor).order_by("id").iterator(chunk_size=2000)
    pending: list[AuditEntry] = []
    for entry in rows:
        if entry.pk not in known:
            pending.append(entry)
        if len(pending) == BATCH:
            break
    return pending


def verify_audit_trail() -> ChainReport:
    """Walk the whole chain and the whole trail and report every fault."""
    report = ChainReport()
    seen_up_to = 0
    for links, rows in _chunks():
        for link in links:
            _check_link(report, link, rows.get(link.entry_id))
            seen_up_to = max(seen_up_to, link.entry_id)
    _check_unsealed(report)
    return report


def _chunks() -> Iterator[tuple[list[AuditSeal], dict[int, AuditEntry]]]:
    position = 0
    while True:
        links = list(AuditSeal.objects.filter(position__gt=position).order_by("position")[:BATCH])
        if not links:
            return
        position = links[-1].position
        yield links, AuditEntry.objects.in_bulk([link.entry_id for link in links])


def _check_link(report: ChainReport, link: AuditSeal, entry: AuditEntry | None) -> None:
    first = report.checked == 0
    report.checked += 1
    if first and link.position > 1:
        # Retention removed what came before; the chain goes on from its first kept link.
        report.head = link.chain_hash
    else:
        expected = _link(report.head, link.row_hash)
        if expected != link.chain_hash:
            report.faults.append(("chain broken", link.entry_id))
        report.head = link.chain_hash
    if entry is None:
        report.faults.append(("row removed", link.entry_id))
    elif audit.row_hash(entry) != link.row_hash:
        report.faults.append(("row changed", link.entry_id))
    elif not audit.is_authentic(entry):
        report.faults.append(("row not ours", link.entry_id))


def _check_unsealed(report: ChainReport) -> None:
    sealed = AuditSeal.objects.values("entry_id")
    for entry in AuditEntry.objects.exclude(id__in=sealed).iterator(chunk_size=2000):
        report.unsealed += 1
        if not audit.is_authentic(entry):
            report.faults.append(("row not ours", entry.pk))


def retire_audit_entries() -> int:
    """Remove rows past their retention together with their links; return how many.

    Only a prefix of the chain goes, so the rest still verifies. Raises `BackupFailed` when there
    is no backup of the last day and none can be made: nothing is removed then.
    """
    if not _retired_links().exists():
        return 0
    backup_since(timezone.now() - timedelta(days=1), "before audit rows are retired")
    return _retire()


def _retired_links() -> QuerySet[AuditSeal]:
    """Links of rows past their retention, up to the first that is to be kept."""
    keep = timedelta(days=setting("audit.retention_days"))
    kept = AuditSeal.objects.exclude(entry_id__in=older_than(timezone.now() - keep).values("id"))
    oldest_kept = kept.order_by("position").values_list("position", flat=True).first()
    if oldest_kept is None:
        return AuditSeal.objects.none()
    return AuditSeal.objects.filter(position__lt=oldest_kept)


@transaction.atomic
def _retire() -> int:
    doomed = _retired_links()
    last = doomed.order_by("-position").first()
    if last is None:
        return 0
    AuditEntry.objects.filter(id__in=doomed.values("entry_id")).delete()
    removed, _tables = doomed.delete()
    audit.record(
        "systemadmin.audit.retired",
        metadata={"rows": removed, "last_chain_hash": last.chain_hash},
    )
    return removed
