"""Learns points from outcomes and drafts them as a ruleset, judged on accounts kept apart.

Examples are accounts with a verdict, as they stand now, or days of accounts, as they stood then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops.account_sets import Accounts
from riskops.columns import Read, fetch, moment
from riskops.models import AccountFacts, RiskRuleset
from riskops.scores import scoring
from riskops.scores.account_days import USUAL_DAYS, Examples, read_days
from riskops.scores.calibration import ENOUGH
from riskops.scores.factors import VERDICT
from riskops.scores.learning import LearnedPoints, Mask, learn, ranking_quality
from riskops.scores.neighbours import GUILTY
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import Ruleset
from riskops.scores.rulesets import current_ruleset, draft_ruleset
from riskops.scores.scoring import Ints
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

# These say what staff found about others: few are judged on the day when it counts, so what
# they are worth cannot be read off a judged past.
OTHERS_VERDICTS = frozenset({"linked_to_confirmed_fraud", "suspected_fraud_link", "cluster_fraud"})
# These are known as they are now, not as they were at the end of a past day.
KNOWN_NOW = frozenset(
    {
        "suspicious_transactions",
        "proxy_ip",
        "high_risk_country",
        "clean_history",
        "anomalies",
        "link_strength",
        "linked_accounts",
        "cluster_size",
    }
)
By = Literal["account", "day"]
# One account in three is kept apart to judge what was learned.
APART = 3
CHUNK = 25_000
MOST_ACCOUNTS = 300_000
BINS = 10
MOST_CAP = 1000


@dataclass(frozen=True, slots=True)
class Quality:
    """How rules rank the accounts kept apart."""

    auc: float
    average_precision: float


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Accounts kept apart whose probability lies in a tenth: what was predicted, what came true."""

    low: int  # per cent
    accounts: int
    predicted: float
    fraud: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What learning came to; `accounts` are examples: accounts, or days of accounts."""

    by: By
    accounts: int
    fraud: int
    apart: int
    points: LearnedPoints
    before: Quality
    after: Quality
    calibration: list[CalibrationBin]
    definition: dict[str, Any]


def learn_rules(
    *, by: By | None = None, as_of: datetime | None = None, days: int = USUAL_DAYS
) -> Learned:
    """Learn points for the factors in force from all outcomes; writes nothing.

    Learns by account where enough accounts were judged, else by day from what became of events.
    Raises `InvalidInput` when there are too few outcomes of either kind.
    """
    rules = current_ruleset().rules
    if by == "account" or (by is None and as_of is None):
        accounts, fraud = judged_accounts()
        if by == "account":
            _check_enough(fraud)
        if _enough(fraud):
            every = Examples(accounts, _counts(accounts, rules), fraud, np.ones(len(accounts)))
            return _learned(every, rules, "account")
    every = read_days(rules, as_of=as_of, days=days)
    _check_enough(every.fraud)
    return _learned(every, rules, "day")


def _learned(every: Examples, rules: Ruleset, by: By) -> Learned:
    left_out = OTHERS_VERDICTS | {VERDICT} | (KNOWN_NOW if by == "day" else frozenset())
    columns = [
        column
        for column, factor in enumerate(rules.factors)
        if factor.enabled and factor.code not in left_out
    ]
    apart = is_apart(every.account)
    known, kept = every.only(~apart), every.only(apart)
    points = learn(
        known.counts,
        known.fraud,
        rules.factors,
        columns,
        rules.alert_threshold,
        good_weight=float(known.weight[~known.fraud].mean()),
    )
    after = with_points(rules, points)
    judge = _Judge(kept, left_out)
    return Learned(
        by=by,
        accounts=len(every.account),
        fraud=int(every.fraud.sum()),
        apart=int(apart.sum()),
        points=points,
        before=judge.quality(rules),
        after=judge.quality(after),
        calibration=judge.calibration(after, points),
        definition=after.to_dict(),
    )


def _enough(fraud: Mask) -> bool:
    return bool(min(fraud.sum(), (~fraud).sum()) >= ENOUGH)


def _check_enough(fraud: Mask) -> None:
    if not _enough(fraud):
        text = _("Learning needs %(most)s outcomes of fraud and as many legitimate ones.")
        raise InvalidInput("outcomes", text % {"most": ENOUGH})


def is_apart(accounts: Ints) -> Mask:
    """Return which accounts are kept apart: by a hash, since numbers may have a rhythm."""
    mixed = accounts.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(APART)) == 0


def draft_learned_rules(
    *,
    actor: User | None,
    note: str = "",
    by: By | None = None,
    as_of: datetime | None = None,
    days: int = USUAL_DAYS,
) -> tuple[Learned, RiskRuleset]:
    """Learn, and save the result as a draft; it counts for nothing until it is published."""
    found = learn_rules(by=by, as_of=as_of, days=days)
    text = note or _("Learned from %(accounts)s outcomes") % {"accounts": found.accounts}
    return found, draft_ruleset(actor=actor, definition=found.definition, note=text)


def judged_accounts() -> tuple[Ints, Mask]:
    """Return the accounts that were found to be fraud or legitimate, and which are fraud."""
    found = fetch(
        (
            Read("account", "f.account_id"),
            Read("fraud", f"CASE WHEN {GUILTY} THEN 1 ELSE 0 END"),
            moment("fraud_at", "f.confirmed_fraud_at"),
        ),
        f"FROM {AccountFacts._meta.db_table} AS f WHERE f.confirmed_fraud_at IS NOT NULL "
        "OR f.confirmed_legitimate_at IS NOT NULL "
        f"ORDER BY f.account_id DESC LIMIT {MOST_ACCOUNTS}",
        [],
    )
    order = np.argsort(found["account"])
    return found["account"][order], found["fraud"][order] == 1


def _counts(accounts: Ints, rules: Ruleset) -> Ints:
    at = timezone.now()
    parts = [
        fresh_scores(Accounts.listed(accounts[start : start + CHUNK].tolist()), rules, at=at).counts
        for start in range(0, len(accounts), CHUNK)
    ]
    return np.concatenate(parts)


def with_points(rules: Ruleset, points: LearnedPoints) -> Ruleset:
    """Return rules with learned steps; caps of families make room for them."""
    learned = {one.code: one for one in points.factors}
    factors = tuple(
        replace(
            factor,
            mode="steps",
            steps=learned[factor.code].steps,
            points=0,
            over=0,
            cap=None,
        )
        if factor.code in learned
        else factor
        for factor in rules.factors
    )
    room = dict(rules.family_caps)
    for family in room:
        most = sum(abs(f.most) for f in factors if f.family == family and f.code in learned)
        room[family] = min(max(room[family], most), MOST_CAP)
    return replace(rules, factors=factors, family_caps=room)


@dataclass(frozen=True, slots=True)
class _Judge:
    """What rules are worth on examples kept apart."""

    kept: Examples
    # Factors whose points stand for themselves.
    left_out: frozenset[str]

    def points(self, rules: Ruleset) -> Ints:
        """Return sums of points without those of the factors left out."""
        full = scoring.factor_points(self.kept.counts, rules)
        full[:, [i for i, code in enumerate(rules.codes) if code in self.left_out]] = 0
        return scoring.cap_families(full, rules).sum(axis=1)

    def quality(self, rules: Ruleset) -> Quality:
        """Return how well the sum of points ranks; scores end at 100, lists do not."""
        kept = self.kept
        return Quality(*ranking_quality(self.points(rules), kept.fraud, kept.weight))

    def calibration(self, rules: Ruleset, points: LearnedPoints) -> list[CalibrationBin]:
        """Return by tenths of probability what was predicted and what came true."""
        predicted = points.probability(self.points(rules))
        place = np.minimum((predicted * BINS).astype(np.int64), BINS - 1)
        return [
            CalibrationBin(
                low=100 * number // BINS,
                accounts=round(float(self.kept.weight[mine].sum())),
                predicted=float(np.average(predicted[mine], weights=self.kept.weight[mine])),
                fraud=float(np.average(self.kept.fraud[mine], weights=self.kept.weight[mine])),
            )
            for number in range(BINS)
            if (mine := place == number).any()
        ]
