"""Finds related accounts: of everyone, or of those seen with something new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from riskops import bulk, linking
from riskops.bulk import Column
from riskops.errors import DetectionBusy
from riskops.linking import DEFAULT_KINDS, LinkRules, PairRows
from riskops.models import LinkStatus, PendingLink, RelatedAccount
from riskops.querysets.accounts import Accounts
from riskops.querysets.evidence import OWN, ROLES, World, read_world
from riskops.services.pairs import FoundPairs, Pair
from riskops.services.upkeep import mark_pending
from systemadmin import audit
from systemadmin.foundation import sockets
from systemadmin.foundation.locks import named_lock

TABLE = RelatedAccount._meta.db_table
LOCK = "riskops.links"
# Rows of evidence worked on at once, which bounds the memory of a run.
SLICE_ROWS = 1_500_000
CHUNK = 500

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
    """The rules as staff set them."""
    kinds = dict(DEFAULT_KINDS)
    for kind in ("ip", "subnet", "device", "wallet"):
        match = int(sockets.setting(f"riskops.links_match_{kind}")) / 100
        cap = int(sockets.setting("riskops.links_crowd_cap"))
        kinds[kind] = replace(kinds[kind], match=match, crowd_cap=cap)
    return LinkRules(kinds=kinds)


def least_strength() -> int:
    """Below this strength a pair is not worth a row."""
    return int(sockets.setting("riskops.links_min_strength"))


# -- calculation ---------------------------------------------------------------


def slices(world: World) -> Iterable[np.ndarray]:
    """Masks over accounts: whose pairs with higher ones to look at, a bounded number at once."""
    sizes = np.bincount(world.quiet.account, minlength=len(world.accounts))
    crowd = world.known.accounts[world.quiet.identifier]
    rows = np.bincount(world.quiet.account, weights=crowd, minlength=len(world.accounts))
    part = np.cumsum(rows + sizes) // SLICE_ROWS
    part[world.asked :] = -1
    for number in np.unique(part[part >= 0]):
        yield part == number


def calculate(world: World, lows: np.ndarray, transfers: PairRows, rules: LinkRules) -> Any:
    """The links whose lower account is marked, and the rows of evidence behind them."""
    mine = lows[transfers.low]
    some = PairRows(*(getattr(transfers, n)[mine] for n in PairRows.__dataclass_fields__))
    rows = PairRows.concatenate([linking.expand_pairs(world.quiet, lows), some])
    links = linking.combine(rows, world.known, world.norms, world.population, rules)
    return rows, links


# -- detection -----------------------------------------------------------------


def detect_all(*, progress: Progress | None = None, wait: bool = False) -> LinkSummary:
    """Looks at every account anew; raises `DetectionBusy` when another detection runs.

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
        summary, done, above = LinkSummary(), 0, 0
        for lows in slices(world):
            rows, links = calculate(world, lows, transfers, rules)
            found = FoundPairs(world, rows, links, least)
            ids = world.accounts[lows]
            # From the end of the slice before, lest pairs of vanished accounts stay between.
            scope = Q(low_id__gt=above, low_id__lte=int(ids[-1]))
            summary.add(_write([found], scope))
            above, done = int(ids[-1]), done + len(ids)
            if progress:
                progress(done, len(world.accounts))
        summary.add(_write([], Q(low_id__gt=above)))
        _take_off(waiting)
        summary.accounts = len(world.accounts)
        return summary


def detect_touched(*, progress: Progress | None = None) -> LinkSummary:
    """Looks at the accounts seen with something new since the last time."""
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
    """Finds the pairs these accounts are in and brings the table up to date with them."""
    rules = current_rules()
    world = read_world(rules, Accounts.listed(account_ids))
    transfers = linking.transfer_pairs(world.owners, world.dealings)
    found: list[FoundPairs] = []
    for lows in slices(world):
        rows, links = calculate(world, lows, transfers, rules)
        found.append(FoundPairs(world, rows, links, least_strength()))
    summary = _write(found, Q(low_id__in=account_ids) | Q(high_id__in=account_ids))
    summary.accounts = len(account_ids)
    return summary


def _take_off(waiting: Sequence[tuple[int, int]]) -> None:
    """Takes accounts off the list, save those touched again meanwhile."""
    bulk.delete(
        PendingLink._meta.db_table,
        [
            Column("account_id", "bigint", [account for account, _ in waiting]),
            Column("touches", "integer", [touches for _, touches in waiting]),
        ],
        where="v.account_id = t.account_id AND v.touches = t.touches",
    )


# -- writing -------------------------------------------------------------------


@transaction.atomic
def _write(found: Sequence[FoundPairs], scope: Q) -> LinkSummary:
    """Makes the rows in scope equal to what was found; verdicts stay."""
    fields = ("low_id", "high_id", "pk", "status", "digest")
    rows = RelatedAccount.objects.filter(scope)
    stored = {row[:2]: row[2:] for row in rows.values_list(*fields)}
    dismissed = dict(rows.filter(status=LinkStatus.DISMISSED).values_list("pk", "dismissed_with"))
    summary = LinkSummary()
    news: list[Pair] = []
    for pairs in found:
        summary.pairs += len(pairs)
        lows, highs = pairs.ends
        calculated = zip(lows.tolist(), highs.tolist(), pairs.digests.tolist(), strict=True)
        for number, (low, high, digest) in enumerate(calculated):
            row = stored.pop((low, high), None)
            if row is None:
                summary.added += 1
            elif row[0] in dismissed:
                summary.returned += _return(row[0], pairs.keys(number), dismissed[row[0]])
            if row is None or row[2] != digest:
                news.append(pairs.pair(number))
                summary.changed += row is not None
    _upsert(news)
    gone = [pk for pk, status, _ in stored.values() if status == LinkStatus.SUSPECTED]
    for start in range(0, len(gone), CHUNK):
        RelatedAccount.objects.filter(
            pk__in=gone[start : start + CHUNK], status=LinkStatus.SUSPECTED
        ).delete()
    summary.removed = len(gone)
    # The strength of a confirmed link carries guilt, so its ends are scored again.
    judged = {key for key, row in stored.items() if row[1] == LinkStatus.CONFIRMED}
    judged |= {(pair.low, pair.high) for pair in news}
    _score_again(judged)
    return summary


def _upsert(pairs: list[Pair]) -> None:
    now = timezone.now()
    size = len(pairs)
    pairs = sorted(pairs, key=lambda pair: (pair.low, pair.high))
    columns = [
        Column("low_id", "bigint", [p.low for p in pairs]),
        Column("high_id", "bigint", [p.high for p in pairs]),
        Column("bits", "float8", [p.bits for p in pairs]),
        Column("probability", "float8", [p.probability for p in pairs]),
        Column("strength", "smallint", [p.strength for p in pairs]),
        Column("may_merge", "boolean", [p.may_merge for p in pairs]),
        Column("kinds", "smallint", [p.kinds for p in pairs]),
        Column("evidence", "jsonb", [p.evidence for p in pairs]),
        Column("digest", "bigint", [p.digest for p in pairs]),
        Column("calculated_at", "timestamptz", [now] * size),
    ]
    update = [f"{column.name} = EXCLUDED.{column.name}" for column in columns[2:]]
    columns += [
        Column("status", "text", [LinkStatus.SUSPECTED.value] * size),
        Column("dismissed_with", "jsonb", [[]] * size),
        Column("note", "text", [""] * size),
        Column("version", "integer", [1] * size),
        Column("created_at", "timestamptz", [now] * size),
        Column("updated_at", "timestamptz", [now] * size),
    ]
    bulk.insert(
        TABLE, columns, conflict="low_id, high_id", update=update, order_by="low_id, high_id"
    )


def _score_again(pairs: Iterable[tuple[int, int]]) -> None:
    confirmed = RelatedAccount.objects.filter(
        status=LinkStatus.CONFIRMED, low_id__in={low for low, _ in pairs}
    ).values_list("low_id", "high_id")
    wanted = set(pairs)
    mark_pending({account for pair in confirmed if pair in wanted for account in pair})


def _return(pk: int, keys: frozenset[int], dismissed_with: Sequence[int]) -> int:
    """Brings a dismissed pair back when it shares something it did not share then."""
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
    """Takes back the verdicts whose time is over."""
    ended = RelatedAccount.objects.ended(now or timezone.now())
    return reopen_rows(ended, action="riskops.related_account.expired", metadata={})


@transaction.atomic
def reopen_rows(
    pairs: Any, *, action: str, metadata: dict[str, Any], actor: Any = None, reason: str = ""
) -> int:
    """Makes judged pairs mere suspicions again, each with its line in the audit trail."""
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
