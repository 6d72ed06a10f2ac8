"""Finds related accounts: of everyone, or of those seen with something new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from riskops import bulk, numbers
from riskops.account_sets import Accounts
from riskops.bulk import Column
from riskops.columns import Read, fetch
from riskops.errors import DetectionBusy
from riskops.ingest.store import mark_pending
from riskops.links import combining, linking
from riskops.links.evidence import OWN, ROLES, LinkInput, read_world
from riskops.links.linking import LIKELY, PairRows
from riskops.links.pairs import FoundPairs
from riskops.links.rules import (
    CALIBRATED,
    DEFAULT_KINDS,
    SHIPPED_CURVES,
    Curve,
    Ints,
    LinkRules,
)
from riskops.models import LinkCalibration, LinkStatus, PendingLink, RelatedAccount
from systemadmin import audit
from systemadmin.foundation import configuration
from systemadmin.foundation.locks import named_lock

TABLE = RelatedAccount._meta.db_table
LOCK = "riskops.links"
# Rows of evidence worked on at once, which bounds the memory of a run.
SLICE_ROWS = 1_500_000
CHUNK = 500
UPSERT_ROWS = 50_000
STATUSES = tuple(LinkStatus.values)
SUSPECTED, CONFIRMED, DISMISSED = (
    STATUSES.index(status)
    for status in (LinkStatus.SUSPECTED, LinkStatus.CONFIRMED, LinkStatus.DISMISSED)
)

# A condition on the stored rows (`r`), with its parameters.
Scope = tuple[str, list[Any]]

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class LinkSummary:
    """What a detection did."""

    accounts: int = 0
    pairs: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    returned: int = 0

    def add(self, other: LinkSummary) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def current_rules() -> LinkRules:
    """Return the rules as staff set them."""
    kinds = dict(DEFAULT_KINDS)
    for kind in ("ip", "subnet", "device", "wallet"):
        match = int(configuration.setting(f"riskops.links_match_{kind}")) / 100
        cap = int(configuration.setting("riskops.links_crowd_cap"))
        kinds[kind] = replace(kinds[kind], match=match, crowd_cap=cap)
    kinds["home"] = replace(kinds["home"], match=kinds["subnet"].match, crowd_cap=cap)
    return LinkRules(kinds=kinds, curves=_curves())


def _curves() -> dict[str, Curve]:
    """Return what raw bits are worth: as learnt from verdicts, else as shipped."""
    learnt = LinkCalibration.objects.filter(is_active=True).values_list("curves", flat=True).first()
    curves = {**SHIPPED_CURVES, **(learnt or {})}
    return {name: tuple((x, y) for x, y in curves[name]) for name in CALIBRATED}


def least_strength() -> int:
    """Below this strength a pair is not worth a row."""
    return int(configuration.setting("riskops.links_min_strength"))


# -- calculation ---------------------------------------------------------------


def slices(world: LinkInput) -> Iterable[np.ndarray]:
    """Return masks over accounts, of bounded size: look at their pairs with higher ones."""
    sizes = np.bincount(world.quiet.account, minlength=len(world.accounts))
    crowd = world.known.accounts[world.quiet.identifier]
    rows = np.bincount(world.quiet.account, weights=crowd, minlength=len(world.accounts))
    part = np.cumsum(rows + sizes) // SLICE_ROWS
    part[world.asked :] = -1
    for number in np.unique(part[part >= 0]):
        yield part == number


def calculate(
    world: LinkInput,
    lows: np.ndarray,
    transfers: PairRows,
    rules: LinkRules,
    partners: Ints | None = None,
) -> Any:
    """Return the links whose lower account is marked, and the rows of evidence behind them."""
    mine = lows[transfers.low]
    some = PairRows(*(getattr(transfers, n)[mine] for n in PairRows.__dataclass_fields__))
    rows = PairRows.concatenate([linking.expand_pairs(world.quiet, lows, partners), some])
    links = combining.combine(rows, world.known, world.norms, world.population, rules)
    return rows, links


# -- detection -----------------------------------------------------------------


def detect_all(*, progress: Progress | None = None, wait: bool = False) -> LinkSummary:
    """Look at every account anew; raises `DetectionBusy` when another detection runs.

    Each slice of accounts is written in a transaction of its own: a killed run loses nothing
    and the next one starts over from the facts.
    """
    with named_lock(LOCK, wait=wait) as held:
        if not held:
            raise DetectionBusy
        end_verdicts()
        waiting = list(PendingLink.objects.values_list("account_id", "touches"))
        rules, least = current_rules(), least_strength()
        world = read_world(rules)
        transfers = linking.transfer_pairs(world.owners, world.dealings)
        partners = linking.partners_after(world.quiet)
        summary, done, above = LinkSummary(), 0, 0
        for lows in slices(world):
            rows, links = calculate(world, lows, transfers, rules, partners)
            found = FoundPairs(world, rows, links, least)
            ids = world.accounts[lows]
            # From the end of the slice before, lest pairs of vanished accounts stay between.
            scope: Scope = ("r.low_id > %s AND r.low_id <= %s", [above, int(ids[-1])])
            summary.add(_write([found], scope))
            above, done = int(ids[-1]), done + len(ids)
            if progress:
                progress(done, len(world.accounts))
        summary.add(_write([], ("r.low_id > %s", [above])))
        _take_off(waiting)
        summary.accounts = len(world.accounts)
        return summary


def detect_touched(*, progress: Progress | None = None) -> LinkSummary:
    """Look at the accounts seen with something new since the last time."""
    summary = LinkSummary()
    with named_lock(LOCK) as held:
        if not held:
            return summary
        end_verdicts()
        total = PendingLink.objects.count()
        while True:
            waiting = list(
                PendingLink.objects.order_by("account_id").values_list("account_id", "touches")[
                    :CHUNK
                ]
            )
            if not waiting:
                return summary
            with transaction.atomic():
                summary.add(detect_for([account for account, _ in waiting]))
                _take_off(waiting)
            if progress:
                progress(min(summary.accounts, total), total)


def detect_for(account_ids: Sequence[int]) -> LinkSummary:
    """Find the pairs these accounts are in and bring the table up to date with them."""
    rules = current_rules()
    world = read_world(rules, Accounts.listed(account_ids))
    transfers = linking.transfer_pairs(world.owners, world.dealings)
    found: list[FoundPairs] = []
    for lows in slices(world):
        rows, links = calculate(world, lows, transfers, rules)
        found.append(FoundPairs(world, rows, links, least_strength()))
    asked = Accounts.listed(account_ids)
    ends = [asked.sql("r.low_id"), asked.sql("r.high_id")]
    where = " OR ".join(condition for condition, _ in ends)
    summary = _write(found, (where, [value for _, params in ends for value in params]))
    summary.accounts = len(account_ids)
    return summary


def _take_off(waiting: Sequence[tuple[int, int]]) -> None:
    """Take accounts off the list, save those touched again meanwhile."""
    bulk.delete(
        PendingLink._meta.db_table,
        [
            Column("account_id", "bigint", [account for account, _ in waiting]),
            Column("touches", "integer", [touches for _, touches in waiting]),
        ],
        where="v.account_id = t.account_id AND v.touches = t.touches",
    )


# -- writing -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stored:
    """The rows a detection answers for: parallel columns."""

    low: Ints
    high: Ints
    pk: Ints
    digest: Ints
    status: Ints  # place in STATUSES
    strength: Ints

    @classmethod
    def read(cls, scope: Scope) -> _Stored:
        cases = " ".join(f"WHEN '{status}' THEN {n}" for n, status in enumerate(STATUSES))
        columns = (
            Read("low", "r.low_id"),
            Read("high", "r.high_id"),
            Read("pk", "r.id"),
            Read("digest", "r.digest"),
            Read("status", f"CASE r.status {cases} END"),
            Read("strength", "r.strength"),
        )
        where, params = scope
        return cls(**fetch(columns, f"FROM {TABLE} AS r WHERE {where}", params))

    def rows_of(self, low: Ints, high: Ints) -> Ints:
        """Return the row of each pair, -1 where it is new."""
        people = numbers.distinct(np.concatenate([self.low, self.high, low, high]))

        def key(low: Ints, high: Ints) -> Ints:
            return numbers.places(people, low) * len(people) + numbers.places(people, high)

        mine = key(self.low, self.high)
        order = np.argsort(mine)
        place = numbers.places(mine[order], key(low, high))
        return np.where(place >= 0, order[place], -1) if len(order) else place


@transaction.atomic
def _write(found: Sequence[FoundPairs], scope: Scope) -> LinkSummary:
    """Make the rows in scope equal to what was found; verdicts stay."""
    stored, summary = _Stored.read(scope), LinkSummary()
    gone = np.ones(len(stored.pk), dtype=np.bool_)
    changed = np.zeros(len(stored.pk), dtype=np.bool_)
    scored: list[Ints] = []
    for pairs in found:
        row = stored.rows_of(*pairs.ends)
        known = np.flatnonzero(row >= 0)
        gone[row[known]] = False
        other = known[stored.digest[row[known]] != pairs.digests[known]]
        changed[row[other]] = True
        new = np.flatnonzero(row < 0)
        scored += _ends(pairs, np.concatenate([new, other]))
        summary.pairs += len(pairs)
        summary.added += len(new)
        summary.changed += len(other)
        dismissed = known[stored.status[row[known]] == DISMISSED]
        summary.returned += _return_some(pairs, dismissed, stored.pk[row[dismissed]])
        _upsert(pairs, np.concatenate([new, other]))
    lost = stored.pk[gone & (stored.status == SUSPECTED)].tolist()
    for start in range(0, len(lost), CHUNK):
        RelatedAccount.objects.filter(
            pk__in=lost[start : start + CHUNK], status=LinkStatus.SUSPECTED
        ).delete()
    summary.removed = len(lost)
    # Likely and confirmed links count in the score, so their ends are scored again.
    counted = (gone | changed) & ((stored.status == CONFIRMED) | (stored.strength >= LIKELY))
    ends = np.concatenate([stored.low[counted], stored.high[counted], *scored])
    mark_pending(np.unique(ends).tolist())
    return summary


def _ends(pairs: FoundPairs, chosen: Ints) -> list[Ints]:
    """Return the accounts of those of some pairs that are likely."""
    likely = chosen[pairs.strengths[chosen] >= LIKELY]
    low, high = pairs.ends
    return [low[likely], high[likely]]


def _upsert(pairs: FoundPairs, chosen: Ints) -> None:
    now = timezone.now()
    low, high = pairs.ends
    # In the order in which every writer takes the rows.
    chosen = chosen[np.lexsort((high[chosen], low[chosen]))]
    for start in range(0, len(chosen), UPSERT_ROWS):
        columns = pairs.columns(chosen[start : start + UPSERT_ROWS])
        update = [f"{column.name} = EXCLUDED.{column.name}" for column in columns[2:]]
        bulk.insert(
            TABLE,
            columns,
            same=[
                Column("calculated_at", "timestamptz", [now]),
                Column("status", "text", [LinkStatus.SUSPECTED.value]),
                Column("dismissed_with", "jsonb", [[]]),
                Column("note", "text", [""]),
                Column("version", "integer", [1]),
                Column("created_at", "timestamptz", [now]),
                Column("updated_at", "timestamptz", [now]),
            ],
            conflict="low_id, high_id",
            update=[*update, "calculated_at = EXCLUDED.calculated_at"],
            order_by="low_id, high_id",
        )


def _return_some(pairs: FoundPairs, chosen: Ints, pks: Ints) -> int:
    """Return to suspicion those of some dismissed pairs that share something new."""
    shared = dict(
        RelatedAccount.objects.filter(pk__in=pks.tolist()).values_list("pk", "dismissed_with")
    )
    return sum(
        _return(pk, pairs.keys(number), shared[pk])
        for number, pk in zip(chosen.tolist(), pks.tolist(), strict=True)
        if pk in shared
    )


def _return(pk: int, keys: frozenset[int], dismissed_with: Sequence[int]) -> int:
    """Return a dismissed pair to suspicion when it shares something new since then."""
    new = sorted(keys - set(dismissed_with))
    if not new:
        return 0
    shared = [f"{'own' if key % ROLES == OWN else 'money'}:{key // ROLES}" for key in new]
    return reopen_rows(
        RelatedAccount.objects.filter(pk=pk, status=LinkStatus.DISMISSED),
        action="riskops.related_account.returned",
        metadata={"new_identifiers": shared[:20]},
    )


def end_verdicts(now: datetime | None = None) -> int:
    """Take back the verdicts whose time is over."""
    ended = RelatedAccount.objects.ended(now or timezone.now())
    return reopen_rows(ended, action="riskops.related_account.expired", metadata={})


@transaction.atomic
def reopen_rows(
    pairs: Any, *, action: str, metadata: dict[str, Any], actor: Any = None, reason: str = ""
) -> int:
    """Make judged pairs mere suspicions again, each with its line in the audit trail."""
    rows = list(pairs)
    for row in rows:
        before = {"status": row.status, "note": row.note, "expires_at": row.expires_at}
        row.status = LinkStatus.SUSPECTED
        row.note, row.dismissed_with = "", []
        row.decided_by = row.decided_at = row.expires_at = None
        row.bump()
        row.save()
        audit.record(
            action,
            actor=actor,
            target=row,
            before=before,
            after={"status": row.status},
            reason=reason,
            metadata=metadata,
        )
        mark_pending((row.low_id, row.high_id))
    return len(rows)
