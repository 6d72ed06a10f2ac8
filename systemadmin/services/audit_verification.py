"""Is the audit trail what it was? The chain, the rows beside it, and everything said about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Exists, Max, Min, OuterRef
from django.utils.translation import gettext as _

from systemadmin.audit import is_authentic
from systemadmin.audit_content import canonical
from systemadmin.audit_guard import missing_guards
from systemadmin.models import AuditEntry, AuditSeal
from systemadmin.services.audit_chain import GENESIS, chain_end, links_at, unsealed
from systemadmin.services.audit_heads import outside_heads
from systemadmin.services.audit_statements import (
    Kind,
    Statement,
    our_statements,
    state,
    stored_statements,
)
from systemadmin.services.audit_walk import UNREADABLE, Fault, Walk, WalkState, read_rows

# Rows looked through at a time for some without a link: each look is one range of the keys.
SCAN: Final = 50_000
# Links whose codes are computed while nobody can work: a few seconds' worth.
NEWEST: Final = 20_000
Progress = Callable[[WalkState], None]


@dataclass(slots=True)
class ChainReport:
    """What verification found; the list of faults is cut off, the count and the first are not."""

    checked: int = 0
    unsealed: int = 0
    head: str = GENESIS
    position: int = 0
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    heads_compared: int = 0

    @property
    def holds(self) -> bool:
        """True when nothing was removed, changed or inserted."""
        return not self.fault_count

    @property
    def first_fault(self) -> Fault | None:
        """The fault at the lowest position; those without a position come last."""
        placed = [fault for fault in self.faults if fault.position]
        return min(placed or self.faults, key=lambda fault: fault.position, default=None)

    def add(self, faults: Iterable[Fault]) -> None:
        """Take up faults that a part of the verification found."""
        for fault in faults:
            self.fault_count += 1
            self.faults.append(fault)


def verify_audit_trail(
    *,
    begin: WalkState | None = None,
    with_outside: bool = False,
    heads: Iterable[Statement] = (),
    progress: Progress = lambda state: None,
) -> ChainReport:
    """Verify everything and report every fault; changes nothing.

    `begin` goes on from an interrupted walk, `with_outside` compares with the heads in the
    storage, `heads` with heads that a person kept.
    """
    walk = Walk(begin)
    for walked in walk.steps():
        progress(walked)
    report = _report_of(walk)
    _check_beside(report, walk)
    compared = list(heads)
    if with_outside:
        found, report.notes = outside_heads()
        compared += found
        if not found:
            report.notes.append(_("No head outside the database could be compared."))
    report.heads_compared = len(compared)
    report.add(_check_heads(compared, walk.state.position))
    _set_explained_aside(report)
    return report


def verify_since_checkpoint() -> ChainReport:
    """Verify what was added since the last verification that found nothing; changes nothing.

    For a restore, while nobody can work: the dump was compared with its manifest before, and
    the whole trail is verified afterwards. So the codes of `NEWEST` links at most are computed,
    and of those before only whether any link or its row is missing.
    """
    walk = Walk(_checkpoint())
    if newest := _before_newest(walk.state.position):
        walk.skip_to(newest)
    begun = walk.state.position
    for _state in walk.steps():
        pass
    report = _report_of(walk)
    report.add(_check_nothing_missing(begun))
    report.add(Fault(f"trigger missing: {name}") for name in missing_guards())
    _set_explained_aside(report)
    return report


def _before_newest(begin: int) -> WalkState | None:
    """Return the link before the `NEWEST` last ones, None when `begin` is not before it."""
    position = chain_end().position - NEWEST
    if position <= begin:
        return None
    return WalkState(position=position, chain=links_at([position]).get(position))


def _check_nothing_missing(until: int) -> Iterable[Fault]:
    """Positions up to this one have no gap, and each link has its row: two bulk statements."""
    links = AuditSeal.objects.filter(position__lte=until)
    found = links.aggregate(count=Count("pk"), first=Min("position"), last=Max("position"))
    if found["count"] and found["last"] - found["first"] + 1 != found["count"]:
        detail = f"{found['count']} of {found['first']} to {found['last']} are left"
        yield Fault("rows removed", found["first"], detail=detail)
    rows = AuditEntry.objects.filter(id=OuterRef("entry_id"))
    lone = links.filter(~Exists(rows)).order_by("position").first()
    if lone is not None:
        yield Fault("row removed", lone.position, lone.entry_id)


def _checkpoint() -> WalkState | None:
    """Return the newest signed checkpoint that still lies on the chain."""
    stated = our_statements(Kind.VERIFIED)[-20:]
    links = links_at(mark.position for mark in stated)
    for mark in reversed(stated):
        if links.get(mark.position) == mark.body["chain"]:
            return WalkState(position=mark.position, chain=mark.body["chain"])
    return None


def state_verified(report: ChainReport) -> None:
    """Sign that everything up to the head was verified and holds."""
    if report.holds and report.position:
        state(Kind.VERIFIED, report.position, {"chain": report.head, "rows": report.checked})


def _report_of(walk: Walk) -> ChainReport:
    walked = walk.state
    return ChainReport(
        checked=walked.checked,
        head=walked.chain or GENESIS,
        position=walked.position,
        fault_count=walked.fault_count,
        faults=[Fault(**fault) for fault in walked.faults],
    )


def _check_beside(report: ChainReport, walk: Walk) -> None:
    """Check what a walk along the links cannot see."""
    report.add(_check_adoption(walk))
    report.add(_check_unsealed(report, walk))
    report.add(
        Fault("statement not ours", made.position, detail=made.kind)
        for made in stored_statements()
        if not made.is_ours
    )
    stated = [made for made in stored_statements(Kind.HEAD, Kind.VERIFIED) if made.is_ours]
    report.add(_check_heads(stated, walk.state.position))
    report.add(_check_retired(walk))
    report.add(_check_sequence())
    report.add(Fault(f"trigger missing: {name}") for name in missing_guards())


def _check_adoption(walk: Walk) -> Iterable[Fault]:
    """Once there are signed links there is a statement of where they begin."""
    last = AuditSeal.objects.order_by("-position").first()
    if last is not None and last.kid and walk.adopted is None:
        yield Fault("statement removed", 1, detail="where signed links begin")
    if walk.adopted and walk.adopted.position:
        links = links_at([walk.adopted.position])
        if (
            links.get(walk.adopted.position, walk.adopted.body["chain"])
            != walk.adopted.body["chain"]
        ):
            yield Fault("links from before authentication changed", walk.adopted.position)


def _check_unsealed(report: ChainReport, walk: Walk) -> Iterable[Fault]:
    """Rows without a link are new, or slipped in: their own code tells which."""
    bounds = AuditEntry.objects.aggregate(first=Min("id"), last=Max("id"))
    if bounds["last"] is None:
        return
    for start in range(bounds["first"], bounds["last"] + 1, SCAN):
        part = AuditEntry.objects.filter(id__gte=start, id__lt=start + SCAN)
        ids = list(unsealed(part).order_by("id").values_list("id", flat=True))
        for begin in range(0, len(ids), 2000):
            some = ids[begin : begin + 2000]
            found = read_rows(some)
            for pk, row in ((pk, found.get(pk)) for pk in some):
                report.unsealed += 1
                if not _may_wait(row, walk):
                    yield Fault("row not ours", entry=pk)


def _may_wait(row: Any, walk: Walk) -> bool:
    """Return True for a row that the next sealing takes: ours, and not from before key ids."""
    if row is UNREADABLE or row is None:
        return False
    if not row[-2] and walk.adopted is not None:
        return False
    return is_authentic(row, canonical(row[:-1]))


def _check_heads(heads: Iterable[Statement], end: int) -> Iterable[Fault]:
    """Every head must lie on the chain, unless a restore that we stated lost it."""
    listed = sorted(heads, key=lambda head: head.position)
    restored = our_statements(Kind.RESTORED)
    links = links_at({head.position for head in listed})
    agreed = 0
    for head in listed:
        chain = head.body.get("chain")
        if links.get(head.position) == chain:
            agreed = head.position
        elif _is_explained_by(head, restored):
            continue
        elif head.position > end:
            yield Fault("rows removed", end + 1, detail=f"head {head.position} in {head.source}")
        elif head.position in links:
            detail = f"head {head.position} in {head.source}"
            yield Fault("history replaced", agreed + 1, detail=detail)


def _is_explained_by(head: Statement, restored: list[Statement]) -> bool:
    return any(
        made.position < head.position <= made.body["lost_until"] and head.made_at <= made.made_at
        for made in restored
    )


def _check_retired(walk: Walk) -> Iterable[Fault]:
    """Check that what retention stated about its cuts agrees with the links still there."""
    links = links_at({stub.position for stub in walk.retired})
    for stub in walk.retired:
        if links.get(stub.position, stub.body["digest_after"]) != stub.body["digest_after"]:
            yield Fault("history replaced", stub.position, detail="retention")


def _check_sequence() -> Iterable[Fault]:
    """Check that the next key is a new one: a sequence that was set back gives old keys again."""
    newest = AuditEntry.objects.aggregate(newest=Max("id"))["newest"] or 0
    with connection.cursor() as cursor:
        cursor.execute(_SEQUENCE[connection.vendor])
        row = cursor.fetchone()
    reached = row[0] if row and row[0] is not None else 0
    if reached < newest:
        yield Fault("sequence went back", entry=newest, detail=f"at {reached}")


_SEQUENCE: Final = {
    "postgresql": (
        "SELECT pg_sequence_last_value("
        "pg_get_serial_sequence('systemadmin_auditentry', 'id')::regclass)"
    ),
    "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = 'systemadmin_auditentry'",
}


def _set_explained_aside(report: ChainReport) -> None:
    """Take out faults that somebody explained with a signed statement; they stay as notes."""
    explained = {(made.body["fault"], made.position) for made in our_statements(Kind.EXPLAINED)}
    left = [fault for fault in report.faults if (fault.kind, fault.position) not in explained]
    for fault in report.faults:
        if (fault.kind, fault.position) in explained:
            report.notes.append(_("Explained: %s") % fault)
    report.fault_count -= len(report.faults) - len(left)
    report.faults = left
