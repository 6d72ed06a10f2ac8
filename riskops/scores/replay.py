"""What other rules, or another moment, would make of the same accounts. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from riskops.account_sets import Accounts
from riskops.models import RiskOutcome, RiskRuleset, RiskScore
from riskops.models.scores import Verdict
from riskops.scores import scoring
from riskops.scores.evaluation import Evaluation, Mask, evaluate
from riskops.scores.facts import read_dossier, reads_alike, to_micros
from riskops.scores.rules import LEVELS, Ruleset


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
class ConfusionCounts:
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


@dataclass(frozen=True, slots=True)
class RankedAccount:
    """An account at the top of a list, by its sum of points."""

    account: int
    score: int
    raw: int


@dataclass(slots=True)
class Comparison:
    """Two sets of scores of the same accounts, summed up."""

    scored: int = 0
    by_level_before: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    by_level_after: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    judgement_before: ConfusionCounts = field(default_factory=ConfusionCounts)
    judgement_after: ConfusionCounts = field(default_factory=ConfusionCounts)
    crossed: int = 0
    crossings: list[Crossing] = field(default_factory=list)
    # The accounts with most points by the later rules, the riskiest first.
    riskiest: list[RankedAccount] = field(default_factory=list)
    top: int = 0


def compare_rulesets(
    accounts: Accounts,
    before: Ruleset,
    after: Ruleset,
    *,
    at: datetime,
    from_log: bool = False,
    top: int = 0,
    left_out: scoring.Ints | None = None,
) -> Comparison:
    """Score accounts with both rules on the same facts; return who crosses what."""
    read = read_dossier(accounts, before, at=at, from_log=from_log)
    old = evaluate(read, before, at=to_micros(at), fresh=True)
    if not reads_alike(before, after):
        read = read_dossier(accounts, after, at=at, from_log=from_log)
    new = evaluate(read, after, at=to_micros(at), fresh=True)
    was, now = _standing(old, before), _standing(new, after)
    comparison = _compare(was, now, verdicts(accounts))
    comparison.riskiest, comparison.top = _riskiest(new, top, left_out), top
    return comparison


def compare_with_stored(
    accounts: Accounts,
    rules: Ruleset,
    *,
    at: datetime,
    from_log: bool = False,
    top: int = 0,
    left_out: scoring.Ints | None = None,
) -> Comparison:
    """Return who would cross what if the accounts were scored for that moment now."""
    stored = RiskScore.objects.filter(accounts.q("account_id")).order_by("pk")
    rows = np.array(list(stored.values_list("pk", "computed")), dtype=np.int64).reshape(-1, 2)
    new = fresh_scores(accounts, rules, at=at, from_log=from_log)
    score = rows[:, 1]
    known = verdicts(accounts)
    alarm = score >= rules.alert_threshold
    blind = alarm.copy()
    for account, full in _stored_points(known, rules):
        row = np.searchsorted(rows[:, 0], account)
        blind[row] = scoring.without_verdict(full, rules)[0] >= rules.alert_threshold
    was = _Standing(rows[:, 0], score, scoring.levels(score, rules), alarm, blind)
    comparison = _compare(was, _standing(new, rules), known)
    comparison.riskiest, comparison.top = _riskiest(new, top, left_out), top
    return comparison


def _riskiest(
    found: Evaluation, top: int, left_out: scoring.Ints | None = None
) -> list[RankedAccount]:
    """Return the accounts with most points, of equals the lower id first."""
    rows = np.lexsort((found.account, -found.points.raw))
    if left_out is not None:
        rows = rows[~np.isin(found.account[rows], left_out)]
    rows = rows[:top]
    columns = (found.account[rows], found.points.score[rows], found.points.raw[rows])
    return [RankedAccount(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _stored_points(known: Iterable[int], rules: Ruleset) -> Iterator[tuple[int, scoring.Ints]]:
    """Yield the stored points of some accounts, each as a row of factors."""
    stored = RiskScore.objects.filter(pk__in=list(known)).values_list("pk", "breakdown")
    for account, breakdown in stored:
        full = np.zeros((1, len(rules.codes)), dtype=np.int64)
        for code, _given, whole, _count, _since in breakdown:
            full[0, rules.codes.index(code)] = whole
        yield account, full


@dataclass(frozen=True, slots=True)
class _Standing:
    account: scoring.Ints
    score: scoring.Ints
    level: scoring.Ints
    alarm: Mask
    # Whether there would be an alarm if the verdict of staff were unknown.
    blind: Mask


def alarms_without_verdict(found: Evaluation, rules: Ruleset) -> Mask:
    """Return who would be alarmed about if the verdicts of staff were unknown."""
    alarms: Mask = scoring.without_verdict(found.points.full, rules) >= rules.alert_threshold
    return alarms


def _standing(found: Evaluation, rules: Ruleset) -> _Standing:
    alarm = found.score >= rules.alert_threshold
    return _Standing(
        found.account, found.score, found.level, alarm, alarms_without_verdict(found, rules)
    )


def _compare(was: _Standing, now: _Standing, known: dict[int, bool]) -> Comparison:
    """Compare accounts that stand in both; one without a score before crosses nothing."""
    accounts, old, new = np.intersect1d(
        was.account, now.account, assume_unique=True, return_indices=True
    )
    comparison = Comparison(
        scored=len(now.account),
        by_level_before=np.bincount(was.level, minlength=len(LEVELS)).tolist(),
        by_level_after=np.bincount(now.level, minlength=len(LEVELS)).tolist(),
    )
    crossed = (was.level[old] != now.level[new]) | (was.alarm[old] != now.alarm[new])
    rows = np.flatnonzero(crossed)
    columns = (
        accounts,
        was.score[old],
        now.score[new],
        was.level[old],
        now.level[new],
        was.alarm[old],
        now.alarm[new],
    )
    for account, before, after, low, high, alarm, alarmed in zip(
        *(column[rows].tolist() for column in columns), strict=True
    ):
        comparison.crossings.append(
            Crossing(account, before, after, LEVELS[low], LEVELS[high], alarm, alarmed)
        )
    comparison.crossed = len(rows)
    alarms = zip(accounts.tolist(), was.blind[old].tolist(), now.blind[new].tolist(), strict=True)
    for account, alarm, alarmed in alarms if known else ():
        if account in known:
            comparison.judgement_before.add(alarm, known[account])
            comparison.judgement_after.add(alarmed, known[account])
    return comparison


def fresh_scores(
    accounts: Accounts, rules: Ruleset, *, at: datetime, from_log: bool = False
) -> Evaluation:
    """Scores by the facts alone: no cool-down, no override, nothing written."""
    dossier = read_dossier(accounts, rules, at=at, from_log=from_log)
    return evaluate(dossier, rules, at=to_micros(at), fresh=True)


def verdicts(accounts: Accounts) -> dict[int, bool]:
    """Return the latest staff verdict on each account: true for fraud."""
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
    """Compare range by range, so that memory does not grow with the number of accounts."""
    rules = after.rules if isinstance(after, RiskRuleset) else after
    for low, high in ranges:
        yield compare_rulesets(Accounts(low, high), before, rules, at=at, from_log=from_log)


def add_up(total: Comparison, part: Comparison, *, keep: int | None = None) -> None:
    """Add one range to the sum; `keep` bounds how many crossings are remembered."""
    total.scored += part.scored
    total.crossed += part.crossed
    total.top = max(total.top, part.top)
    both = total.riskiest + part.riskiest
    total.riskiest = sorted(both, key=lambda one: (-one.raw, one.account))[: total.top]
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
