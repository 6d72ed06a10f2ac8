"""Take in what accounts turned out to be, in batches: a list of known fraud, say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from riskops.ingest.parse import RefusedField, check_names, read_text
from riskops.ingest.validate import Refusal
from riskops.models import RiskOutcome, RiskScore
from riskops.models.scores import Verdict
from riskops.scores.event_outcomes import ACCOUNT, FIELDS, OutcomesTaken, read_known_at, read_truth
from riskops.scores.outcomes import RECORDED, send_to_engine
from systemadmin import audit
from systemadmin.models import User
from systemadmin.services.duties import accounts_of

PERMISSION = "riskops.record_riskoutcome"


@dataclass(frozen=True, slots=True)
class _Row:
    index: int
    external_id: str
    verdict: str
    # None where the row does not say it: it is known from now on.
    known_at: datetime | None


def record_account_outcomes(
    rows: Iterable[tuple[int, Any]], *, actor: User | None = None
) -> OutcomesTaken:
    """Record verdicts on accounts as staff do on an account's page; call it in a transaction.

    Rows are numbered, name an account by `account_external_id` and are refused one by one: without
    the right to record a verdict, about accounts of the actor's, of unknown accounts. What stands
    already changes nothing, so that a list may be sent again. Of several verdicts on an account
    the one known last counts, also against those of staff.
    """
    taken = OutcomesTaken()
    read = _read_rows(rows, taken.refused)
    if actor is not None and not actor.has_perm(PERMISSION):
        taken.refused += [_refusal(row, "not_allowed") for row in read.values()]
        return taken
    accounts = _locked_accounts(read)
    taken.refused += [
        _refusal(row, "unknown_account") for name, row in read.items() if name not in accounts
    ]
    own = accounts_of(actor.pk) if actor is not None else set()
    judged: list[tuple[User, _Row]] = []
    for name, account in accounts.items():
        if account.pk in own:
            taken.refused.append(_refusal(read[name], "own_interest"))
        else:
            judged.append((account, read[name]))
    _write(_without_known(judged), actor)
    taken.recorded = len(judged)
    return taken


def _refusal(row: _Row, code: str) -> Refusal:
    return Refusal.of(row.index, ACCOUNT, code, row.external_id)


def _read_rows(rows: Iterable[tuple[int, Any]], refused: list[Refusal]) -> dict[str, _Row]:
    """Read rows, the last of each account; those at fault are added to the refused ones."""
    latest: dict[str, _Row] = {}
    now = timezone.now()
    for index, row in rows:
        try:
            check_names(row, FIELDS)
            if row.get("event") or row.get("counterparty"):
                raise RefusedField("event", "one_of_two")
            is_fraud = read_truth(row.get("fraud"))
            said = row.get("known_at")
            read = _Row(
                index,
                read_text(ACCOUNT, row[ACCOUNT]),
                Verdict.CONFIRMED_FRAUD.value if is_fraud else Verdict.LEGITIMATE.value,
                read_known_at(said, now) if said not in (None, "") else None,
            )
        except RefusedField as fault:
            refused.append(Refusal.of(index, fault.field, fault.code))
        else:
            latest[read.external_id] = read
    return latest


def _locked_accounts(names: Iterable[str]) -> dict[str, User]:
    """Return the accounts of these external ids, locked in the order of their numbers."""
    rows = User.objects.select_for_update(no_key=True).filter(external_id__in=set(names))
    return {str(account.external_id): account for account in rows.order_by("pk")}


def _without_known(judged: Sequence[tuple[User, _Row]]) -> list[tuple[User, _Row]]:
    """Leave out what is stored: the same moment, or without one the same latest verdict."""
    latest: dict[int, str] = {}
    stored: set[tuple[int, str, datetime]] = set()
    rows = RiskOutcome.objects.filter(account__in=[account.pk for account, _row in judged])
    found = rows.order_by("created_at", "pk").values_list("account_id", "verdict", "created_at")
    for account, verdict, moment in found:
        latest[account] = verdict
        stored.add((account, verdict, moment))
    return [
        (account, row)
        for account, row in judged
        if (
            latest.get(account.pk) != row.verdict
            if row.known_at is None
            else (account.pk, row.verdict, row.known_at) not in stored
        )
    ]


def _write(judged: Sequence[tuple[User, _Row]], actor: User | None) -> None:
    now = timezone.now()
    scores = RiskScore.objects.in_bulk([account.pk for account, _row in judged])
    outcomes = RiskOutcome.objects.bulk_create(
        RiskOutcome(
            account=account,
            verdict=row.verdict,
            actor=actor,
            created_at=row.known_at or now,
            score=scores[account.pk].score if account.pk in scores else None,
            breakdown=scores[account.pk].breakdown if account.pk in scores else [],
        )
        for account, row in judged
    )
    RiskScore.objects.filter(pk__in=scores).update(review_since=None)
    for (account, row), outcome in zip(judged, outcomes, strict=True):
        after = {"verdict": row.verdict, "known_at": outcome.created_at}
        audit.record(RECORDED, actor=actor, target=account, after=after)
    send_to_engine(outcomes)
