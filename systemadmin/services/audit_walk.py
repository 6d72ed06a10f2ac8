"""Walking the chain link by link, in chunks, with a state that an interrupted walk goes on from."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db import DatabaseError
from django.utils.dateparse import parse_datetime

from systemadmin.audit import is_authentic, legacy_row_hash
from systemadmin.audit_content import COLUMNS, canonical, encode, row_hash
from systemadmin.audit_keys import LINK, STATEMENT, current_key, is_signed, known_keys
from systemadmin.models import AuditEntry, AuditSeal
from systemadmin.services.audit_chain import (
    GENESIS,
    first_position,
    legacy_link,
    link_message,
)
from systemadmin.services.audit_statements import Kind, Statement, our_statements

logger = logging.getLogger("atalaya.audit")

CHUNK: Final = 2000
MOST_FAULTS: Final = 200
# Clocks of several machines differ by less; a clock that was set back differs by more.
CLOCK_TOLERANCE: Final = timedelta(seconds=30)
# Stands for a row whose stored values cannot be read as what their columns hold.
UNREADABLE: Final = object()

LINK_COLUMNS: Final = ("position", "entry_id", "row_hash", "chain_hash", "sealed_at", "kid")
Link = Any  # values of LINK_COLUMNS by name
Row = Any  # values of COLUMNS, UNREADABLE, or None when the row is gone


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which position of the chain and at which row, as far as they are known."""

    kind: str
    position: int = 0
    entry: int = 0
    detail: str = ""

    def __str__(self) -> str:
        where = [f"position {self.position}"] if self.position else []
        where += [f"audit entry {self.entry}"] if self.entry else []
        text = f"{self.kind}: {', '.join(where)}" if where else self.kind
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(slots=True)
class WalkState:
    """How far a walk is: everything that the next link is compared with."""

    position: int = 0
    entry: int = 0
    chain: str | None = GENESIS  # None: not known, the next link is taken as given
    sealed_at: str = ""
    checked: int = 0
    fault_count: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)

    def signed(self) -> dict[str, Any]:
        """Return the state for the database, signed: a forger must not make us skip rows."""
        key, content = current_key(), asdict(self)
        return {**content, "kid": key.kid, "signature": key.sign(STATEMENT, encode(content))}

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "WalkState | None":
        """Return the stored state when one of our keys signed it, else None."""
        content = {name: stored[name] for name in stored if name not in ("kid", "signature")}
        kid, signature = str(stored.get("kid")), str(stored.get("signature"))
        if not stored or not is_signed(kid, STATEMENT, encode(content), signature):
            return None
        return cls(**content)


class Walk:
    """Compare every link with the one before it and with its row."""

    def __init__(self, begin: WalkState | None = None) -> None:
        """Begin at the first kept link, or go on from a state."""
        adopted = our_statements(Kind.ADOPTED)
        self.adopted: Statement | None = adopted[0] if adopted else None
        self.retired = our_statements(Kind.RETIRED)
        self.keys = known_keys()
        self.state = begin or self._beginning()

    # -- where it begins -------------------------------------------------------

    def _beginning(self) -> WalkState:
        first, state = first_position(), WalkState()
        if first <= 1:
            return state
        state.position = first - 1
        state.chain = self._known_before(first)
        missing = self._unstated_before(first)
        if missing:
            self._add(state, Fault("rows removed", missing, detail=f"before position {first}"))
        return state

    def skip_to(self, state: WalkState) -> None:
        """Go on from another state; faults found so far stay."""
        self.state.position, self.state.entry = state.position, state.entry
        self.state.chain, self.state.sealed_at = state.chain, state.sealed_at

    def _known_before(self, first: int) -> str | None:
        for stub in self.retired:
            if stub.position == first - 1:
                return str(stub.body["digest_after"])
        return None

    def _unstated_before(self, first: int) -> int:
        """Return the first position before `first` that no statement of ours accounts for."""
        covered = 0
        if self.adopted:
            # What was retired before statements were made cannot be proved any more.
            covered = self.adopted.body["first"] - 1
        for stub in sorted(self.retired, key=lambda stub: int(stub.body["from"])):
            if stub.body["from"] <= covered + 1:
                covered = max(covered, stub.position)
        return 0 if covered >= first - 1 else covered + 1

    # -- walking ---------------------------------------------------------------

    def steps(self, until: int | None = None) -> Iterator[WalkState]:
        """Walk to the end (or to a position), yielding the state after each chunk."""
        while True:
            links = AuditSeal.objects.filter(position__gt=self.state.position)
            if until is not None:
                links = links.filter(position__lte=until)
            # Named tuples: making model objects took a fifth of the time.
            values = links.order_by("position").values_list(*LINK_COLUMNS, named=True)
            chunk = list(values[:CHUNK])
            if not chunk:
                return
            rows = read_rows([link.entry_id for link in chunk])
            for link in chunk:
                self._check(link, rows.get(link.entry_id))
            yield self.state

    def fault(self, fault: Fault) -> None:
        """Note a fault; the list is cut off, the count is not."""
        self._add(self.state, fault)

    def _add(self, state: WalkState, fault: Fault) -> None:
        state.fault_count += 1
        if len(state.faults) < MOST_FAULTS:
            state.faults.append(asdict(fault))

    def _check(self, link: Link, row: Row) -> None:
        state = self.state
        if link.position != state.position + 1:
            self.fault(
                Fault("rows removed", state.position + 1, detail=f"up to {link.position - 1}")
            )
            state.chain = None
        self._check_link(link)
        self._check_clock(link)
        self._check_row(link, row)
        state.position, state.entry, state.chain = link.position, link.entry_id, link.chain_hash
        state.checked += 1

    def _check_link(self, link: Link) -> None:
        if not link.kid:
            problem = self._legacy_link_problem(link)
        elif link.kid not in self.keys:
            problem = "key unknown"
        elif self.state.chain is None or self._is_signed(link, self.state.chain):
            problem = ""
        else:
            problem = "link not ours"
        if problem:
            self.fault(Fault(problem, link.position, link.entry_id))

    def _is_signed(self, link: Link, previous: str) -> bool:
        message = link_message(
            link.position, link.entry_id, link.row_hash, link.sealed_at, link.kid, previous
        )
        return self.keys[link.kid].sign(LINK, message) == link.chain_hash

    def _legacy_link_problem(self, link: Link) -> str:
        """Return what is wrong with an unsigned link, believed only before the stated position."""
        if self.adopted and link.position > self.adopted.position:
            return "link not ours"
        if self.adopted and link.position == self.adopted.body["first"] > 1:
            # What came before it was retired without a statement; its own hash was stated.
            holds = link.chain_hash == self.adopted.body["first_chain"]
        elif self.state.chain is None:
            return ""
        else:
            holds = legacy_link(self.state.chain, link.row_hash) == link.chain_hash
        return "" if holds else "link from before authentication changed"

    def _check_clock(self, link: Link) -> None:
        before = parse_datetime(self.state.sealed_at) if self.state.sealed_at else None
        if before is not None and link.sealed_at < before - CLOCK_TOLERANCE:
            detail = f"from {before.isoformat()} to {link.sealed_at.isoformat()}"
            self.fault(Fault("clock went back", link.position, link.entry_id, detail))
        self.state.sealed_at = link.sealed_at.isoformat()

    def _check_row(self, link: Link, row: Row) -> None:
        problem = self._row_problem(link, row)
        if problem:
            self.fault(Fault(problem, link.position, link.entry_id))

    def _row_problem(self, link: Link, row: Row) -> str:
        if row is None:
            return "row removed"
        if row is UNREADABLE:
            return "row changed"
        if not link.kid:
            return _legacy_row_problem(link, row)
        content, kid = canonical(row[:-1]), row[-2]
        if row_hash(content, row[-1]) != link.row_hash:
            return "row changed"
        if not kid and not self._is_adopted(link):
            return "row not ours"
        if kid and kid not in self.keys:
            return "key unknown"
        return "" if is_authentic(row, content) else "row not ours"

    def _is_adopted(self, link: Link) -> bool:
        return self.adopted is not None and link.position <= self.adopted.body["until"]


def _legacy_row_problem(link: Link, row: tuple[Any, ...]) -> str:
    if legacy_row_hash(row) != link.row_hash:
        return "row changed"
    # A row that claims a key id cannot be from before there were any.
    return "" if not row[-2] and is_authentic(row, b"") else "row not ours"


def read_rows(ids: list[int]) -> dict[int, Row]:
    """Return the rows by id as values of `COLUMNS`; `ids` must not be empty.

    On SQLite a column may hold anything, so a row that cannot be read is found alone.
    """
    rows = AuditEntry.objects.filter(id__in=ids)
    if max(ids) - min(ids) < 2 * len(ids):
        # Nearly all of a range: the server parses two numbers instead of thousands.
        rows = AuditEntry.objects.filter(id__range=(min(ids), max(ids)))
    try:
        found = {row[0]: row for row in rows.values_list(*COLUMNS)}
    except DatabaseError:
        raise
    except Exception:
        logger.warning("audit rows cannot be read", exc_info=True)
        return {pk: _read_one(pk) for pk in ids}
    return {pk: row if _is_sound(row) else UNREADABLE for pk, row in found.items()}


def _read_one(pk: int) -> Row:
    try:
        row = AuditEntry.objects.filter(id=pk).values_list(*COLUMNS).first()
    except DatabaseError:
        raise
    except Exception:
        return UNREADABLE
    return row if row is None or _is_sound(row) else UNREADABLE


def _is_sound(row: tuple[Any, ...]) -> bool:
    return row[COLUMNS.index("occurred_at")] is not None and isinstance(row[-1], str)
