"""Learns points from outcomes and drafts them as a ruleset, judged on accounts kept apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops.account_sets import Accounts
from riskops.columns import Read, fetch, moment
from riskops.models import AccountFacts, RiskRuleset
from riskops.scores import scoring
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
# Every third account is kept apart to judge what was learned.
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
    """Accounts kept apart whose probability lies in a tenth: what was told, what came true."""

    low: int  # per cent
    accounts: int
    told: float
    fraud: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What learning came to."""

    accounts: int
    fraud: int
    apart: int
    points: LearnedPoints
    before: Quality
    after: Quality
    calibration: list[CalibrationBin]
    definition: dict[str, Any]


def learn_rules() -> Learned:
    """Learn points for the factors in force from all outcomes; writes nothing.

    Raises `InvalidInput` when there are too few outcomes of either kind.
    """
    accounts, fraud = judged_accounts()
    good = int((~fraud).sum())
    if fraud.sum() < ENOUGH or good < ENOUGH:
        text = _("Learning needs %(most)s outcomes of fraud and as many legitimate ones.")
        raise InvalidInput("outcomes", text % {"most": ENOUGH})
    rules = current_ruleset().rules
    counts = _counts(accounts, rules)
    columns = [
        column
        for column, factor in enumerate(rules.factors)
        if factor.enabled and factor.code != VERDICT and factor.code not in OTHERS_VERDICTS
    ]
    apart = accounts % APART == 0
    points = learn(counts[~apart], fraud[~apart], rules.factors, columns, rules.alert_threshold)
    after = with_points(rules, points)
    return Learned(
        accounts=len(accounts),
        fraud=int(fraud.sum()),
        apart=int(apart.sum()),
        points=points,
        before=_quality(counts[apart], fraud[apart], rules),
        after=_quality(counts[apart], fraud[apart], after),
        calibration=_calibration(counts[apart], fraud[apart], after, points),
        definition=after.to_dict(),
    )


def draft_learned_rules(*, actor: User | None, note: str = "") -> tuple[Learned, RiskRuleset]:
    """Learn, and save the result as a draft; it counts for nothing until it is published."""
    found = learn_rules()
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


def _blind(counts: Ints, rules: Ruleset) -> Ints:
    """Sums of points of the factors that are learned or stand for themselves, verdicts left out."""
    full = scoring.factor_points(counts, rules)
    full[:, [i for i, code in enumerate(rules.codes) if code in OTHERS_VERDICTS | {VERDICT}]] = 0
    return scoring.cap_families(full, rules).sum(axis=1)


def _quality(counts: Ints, fraud: Mask, rules: Ruleset) -> Quality:
    return Quality(*ranking_quality(scoring.clamp(_blind(counts, rules)), fraud))


def _calibration(
    counts: Ints, fraud: Mask, rules: Ruleset, points: LearnedPoints
) -> list[CalibrationBin]:
    told = points.probability(_blind(counts, rules))
    place = np.minimum((told * BINS).astype(np.int64), BINS - 1)
    return [
        CalibrationBin(
            low=100 * number // BINS,
            accounts=int(mine.sum()),
            told=float(told[mine].mean()),
            fraud=float(fraud[mine].mean()),
        )
        for number in range(BINS)
        if (mine := place == number).any()
    ]
