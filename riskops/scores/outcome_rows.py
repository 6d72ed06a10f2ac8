"""Take in a batch of outcomes: of events, counterparties and accounts, in one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction

from riskops.scores.account_outcomes import record_account_outcomes
from riskops.scores.event_outcomes import ACCOUNT, OutcomesTaken, record_event_outcomes
from systemadmin.models import User


@transaction.atomic
def record_outcomes(
    rows: Sequence[Any],
    *,
    source: str,
    actor: User | None = None,
    known_after: timedelta | None = None,
) -> OutcomesTaken:
    """Record outcomes row by row, each by the subject that it names; `source` is of the events.

    Bad rows are refused one by one, with their place in the batch.
    """
    of_accounts = [(at, row) for at, row in enumerate(rows) if _names_account(row)]
    others = [at for at, row in enumerate(rows) if not _names_account(row)]
    taken = record_account_outcomes(of_accounts, actor=actor)
    if others:
        found = record_event_outcomes(
            [rows[at] for at in others], source=source, actor=actor, known_after=known_after
        )
        taken.recorded += found.recorded
        taken.refused += [replace(one, index=others[one.index]) for one in found.refused]
    taken.refused.sort(key=lambda one: one.index)
    return taken


def _names_account(row: Any) -> bool:
    return isinstance(row, dict) and bool(row.get(ACCOUNT))
