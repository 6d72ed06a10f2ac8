"""What a ruleset would do to everyone, before it is published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.models import Max, Min
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.models import AccountFacts
from riskops.scores.replay import (
    ConfusionCounts,
    Crossing,
    alarms_without_verdict,
    fresh_scores,
    verdicts,
)
from riskops.scores.rules import LEVELS, Ruleset
from riskops.scores.rulesets import current_ruleset, parse_definition
from systemadmin.models import User
from systemadmin.services.duties import accounts_of

BINS = 20
# A what-if answers while someone waits: beyond this many accounts it looks at a sample.
SAMPLE = 50_000
STEP = 10_000
CROSSINGS_SHOWN = 200


@dataclass(slots=True)
class Preview:
    """Two rulesets over the same accounts."""

    accounts: int = 0
    scored: int = 0
    is_sample: bool = False
    histogram_before: list[int] = field(default_factory=lambda: [0] * BINS)
    histogram_after: list[int] = field(default_factory=lambda: [0] * BINS)
    levels_before: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    levels_after: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    crossings: list[Crossing] = field(default_factory=list)
    crossed: int = 0
    judgement_before: ConfusionCounts = field(default_factory=ConfusionCounts)
    judgement_after: ConfusionCounts = field(default_factory=ConfusionCounts)


def preview_ruleset(definition: dict[str, Any], *, viewer: User) -> Preview:
    """Scores everyone, or a spread sample, by the rules in force and by the given ones.

    The viewer's own accounts are counted but not named. Raises `InvalidInput` with every fault of
    the definition.
    """
    preview = compare(current_ruleset().rules, parse_definition(definition))
    own = accounts_of(viewer.pk)
    preview.crossings = [one for one in preview.crossings if one.account not in own]
    return preview


def compare(before: Ruleset, after: Ruleset) -> Preview:
    """Histograms, levels, who crosses, and how both agree with what staff found."""
    preview = Preview(accounts=AccountFacts.objects.count())
    preview.is_sample = preview.accounts > SAMPLE
    for accounts in _parts(preview):
        _add(preview, accounts, before, after)
    preview.crossings.sort(key=lambda c: (-abs(c.score_after - c.score_before), c.account))
    preview.crossings = preview.crossings[:CROSSINGS_SHOWN]
    return preview


def _parts(preview: Preview) -> list[Accounts]:
    span = AccountFacts.objects.aggregate(low=Min("account_id"), high=Max("account_id"))
    if span["low"] is None:
        return []
    low, high = span["low"], span["high"]
    number = max(1, -(-preview.accounts // STEP))
    width = max(1, -(-(high - low + 1) // number))
    starts = range(low, high + 1, width)
    share = min(1.0, SAMPLE / max(preview.accounts, 1))
    size = max(1, int(width * share))
    return [Accounts(start, min(start + size - 1, high)) for start in starts]


def _add(preview: Preview, accounts: Accounts, before: Ruleset, after: Ruleset) -> None:
    at = timezone.now()
    old = fresh_scores(accounts, before, at=at)
    new = fresh_scores(accounts, after, at=at)
    preview.scored += len(new.account)
    for evaluation, bins, levels in (
        (old, preview.histogram_before, preview.levels_before),
        (new, preview.histogram_after, preview.levels_after),
    ):
        _count(np.minimum(evaluation.score * BINS // 100, BINS - 1), bins)
        _count(evaluation.level, levels)
    alarm_old = old.score >= before.alert_threshold
    alarm_new = new.score >= after.alert_threshold
    crossed = np.flatnonzero((old.level != new.level) | (alarm_old != alarm_new))
    preview.crossed += len(crossed)
    for row in crossed[: CROSSINGS_SHOWN * 5].tolist():
        preview.crossings.append(
            Crossing(
                account=int(new.account[row]),
                score_before=int(old.score[row]),
                score_after=int(new.score[row]),
                level_before=LEVELS[old.level[row]],
                level_after=LEVELS[new.level[row]],
                alert_before=bool(alarm_old[row]),
                alert_after=bool(alarm_new[row]),
            )
        )
    known = verdicts(accounts)
    judged_old, judged_new = alarms_without_verdict(old, before), alarms_without_verdict(new, after)
    for row, account in enumerate(new.account.tolist()):
        if account in known:
            preview.judgement_before.add(bool(judged_old[row]), known[account])
            preview.judgement_after.add(bool(judged_new[row]), known[account])


def _count(values: np.ndarray, into: list[int]) -> None:
    for position, number in enumerate(np.bincount(values, minlength=len(into)).tolist()):
        into[position] += number
