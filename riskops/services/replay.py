"""What other rules, or another moment, would make of the same accounts. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from riskops.evaluation import Evaluation, evaluate
from riskops.models import RiskOutcome, RiskRuleset
from riskops.models.scores import Verdict
from riskops.querysets.accounts import Accounts
from riskops.querysets.facts import read_dossier, to_micros
from riskops.rules import LEVELS, Ruleset


@dataclass(frozen=True, slots=True)
class Crossing:
    """An account that would change its level or cross the alert threshold."""

    account: int
    score_before: int
    score_after: int
    level_before: str
    level_after: str
    alert_before: bool
    alert_after: bool


@dataclass(slots=True)
class Judgement:
    """How often rules that raise an alarm agree with what staff found."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    @property
    def precision(self) -> float | None:
        raised = self.true_positives + self.false_positives
        return self.true_positives / raised if raised else None

    @property
    def recall(self) -> float | None:
        bad = self.true_positives + self.false_negatives
        return self.true_positives / bad if bad else None

    def add(self, alarmed: bool, fraud: bool) -> None:
        self.true_positives += alarmed and fraud
        self.false_positives += alarmed and not fraud
        self.false_negatives += fraud and not alarmed


@dataclass(slots=True)
class Comparison:
    """Two sets of scores of the same accounts, summed up."""

    scored: int = 0
    by_level_before: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    by_level_after: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    judgement_before: Judgement = field(default_factory=Judgement)
    judgement_after: Judgement = field(default_factory=Judgement)
    crossings: list[Crossing] = field(default_factory=list)


def compare_rulesets(
    accounts: Accounts,
    before: Ruleset,
    after: Ruleset,
    *,
    at: datetime,
    at_before: datetime | None = None,
    from_log: bool = False,
) -> Comparison:
    """Scores accounts with both rules on the same facts and tells who crosses what.

    `at_before` compares two moments instead; the facts of both then come from the event log.
    """
    old = fresh_scores(accounts, before, at=at_before or at, from_log=from_log)
    new = fresh_scores(accounts, after, at=at, from_log=from_log)
    _, in_old, in_new = np.intersect1d(
        old.account, new.account, assume_unique=True, return_indices=True
    )
    comparison = Comparison(
        scored=len(new),
        by_level_before=np.bincount(old.level, minlength=len(LEVELS)).tolist(),
        by_level_after=np.bincount(new.level, minlength=len(LEVELS)).tolist(),
    )
    alarm_old = old.score[in_old] >= before.alert_threshold
    alarm_new = new.score[in_new] >= after.alert_threshold
    crossed = (old.level[in_old] != new.level[in_new]) | (alarm_old != alarm_new)
    for row in np.flatnonzero(crossed).tolist():
        comparison.crossings.append(
            Crossing(
                account=int(new.account[in_new[row]]),
                score_before=int(old.score[in_old[row]]),
                score_after=int(new.score[in_new[row]]),
                level_before=LEVELS[old.level[in_old[row]]],
                level_after=LEVELS[new.level[in_new[row]]],
                alert_before=bool(alarm_old[row]),
                alert_after=bool(alarm_new[row]),
            )
        )
    known = verdicts(accounts)
    for account, was, now in zip(
        new.account[in_new].tolist(), alarm_old.tolist(), alarm_new.tolist(), strict=True
    ):
        if account in known:
            comparison.judgement_before.add(was, known[account])
            comparison.judgement_after.add(now, known[account])
    return comparison


def fresh_scores(
    accounts: Accounts, rules: Ruleset, *, at: datetime, from_log: bool = False
) -> Evaluation:
    """Scores by the facts alone: no cool-down, no override, nothing written."""
    dossier = read_dossier(accounts, rules, at=at, from_log=from_log)
    return evaluate(dossier, rules, at=to_micros(at), fresh=True)


def verdicts(accounts: Accounts) -> dict[int, bool]:
    """The latest staff verdict on each account: true for fraud."""
    rows = RiskOutcome.objects.filter(accounts.q("account_id")).order_by("created_at", "pk")
    return {
        account: verdict == Verdict.CONFIRMED_FRAUD
        for account, verdict in rows.values_list("account_id", "verdict")
    }


def replay(
    ranges: list[tuple[int, int]],
    before: Ruleset,
    after: RiskRuleset | Ruleset,
    *,
    at: datetime,
    from_log: bool = False,
) -> Iterator[Comparison]:
    """Compares range by range, so that memory does not grow with the number of accounts."""
    rules = after.rules if isinstance(after, RiskRuleset) else after
    for low, high in ranges:
        yield compare_rulesets(Accounts(low, high), before, rules, at=at, from_log=from_log)


def add_up(total: Comparison, part: Comparison, *, keep: int | None = None) -> None:
    """Adds one range to the sum; `keep` bounds how many crossings are remembered."""
    total.scored += part.scored
    total.by_level_before = _sum(total.by_level_before, part.by_level_before)
    total.by_level_after = _sum(total.by_level_after, part.by_level_after)
    for mine, other in (
        (total.judgement_before, part.judgement_before),
        (total.judgement_after, part.judgement_after),
    ):
        mine.true_positives += other.true_positives
        mine.false_positives += other.false_positives
        mine.false_negatives += other.false_negatives
    room = None if keep is None else max(keep - len(total.crossings), 0)
    total.crossings += part.crossings[:room]


def _sum(a: list[int], b: list[int]) -> list[int]:
    return [x + y for x, y in zip(a, b, strict=True)]
