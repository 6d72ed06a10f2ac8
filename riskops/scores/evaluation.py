"""From the dossier of some accounts to the scores they should have, and what that changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskops.scores import scoring
from riskops.scores.facts import KINDS, ScoringInput
from riskops.scores.measure_spec import ELAPSED
from riskops.scores.measures import measure
from riskops.scores.rules import Ruleset
from riskops.scores.scoring import FOREVER, NEVER, Ints, Points

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of some accounts at one moment, one element an account."""

    account: Ints
    codes: tuple[str, ...]
    counts: Ints
    since: Ints
    points: Points
    standing: Ints
    hold_until: Ints
    override: Ints  # id of the override in force, 0 for none
    score: Ints
    level: Ints
    fingerprint: Ints
    changes_at: Ints

    def __len__(self) -> int:
        return len(self.account)

    def breakdowns(self, rows: Ints) -> list[str]:
        """Return the breakdown of the given rows as JSON texts, factors without points left out."""
        parts: list[list[str]] = [[] for _ in rows]
        for column, code in enumerate(self.codes):
            full = self.points.full[rows, column]
            hits = np.flatnonzero(full)
            if not len(hits):
                continue
            chosen = rows[hits]
            lines = zip(
                hits.tolist(),
                self.points.given[chosen, column].tolist(),
                full[hits].tolist(),
                self.counts[chosen, column].tolist(),
                self.since[chosen, column].tolist(),
                strict=True,
            )
            for hit, given, whole, count, since in lines:
                start = "null" if since == NEVER else since
                parts[hit].append(f'["{code}",{given},{whole},{count},{start}]')
        return ["[" + ",".join(part) + "]" for part in parts]


def evaluate(
    dossier: ScoringInput, ruleset: Ruleset, *, at: int, ruleset_id: int = 0, fresh: bool = False
) -> Evaluation:
    """Scores a dossier; `fresh` looks at the facts alone, without cool-down and override."""
    facts, state = dossier.facts, dossier.state
    measures = measure(
        facts,
        dossier.recent,
        dossier.rare,
        ruleset,
        at=at,
        kinds=KINDS,
        measured=dossier.measured,
    )
    points = scoring.score(measures.counts, ruleset)
    nothing = np.zeros(len(facts), dtype=np.int64)
    standing, hold_until, override, score = points.score, nothing + NEVER, nothing, points.score
    changes_at = measures.changes_at
    if not fresh:
        # A cool-down protects against flicker, not against a decision to change the rules.
        same_rules = state["ruleset"] == ruleset_id
        standing, hold_until = scoring.apply_cool_down(
            points.score,
            np.where(same_rules, state["standing"], -1),
            state["hold_until"],
            at=at,
            cool_down=ruleset.cool_down,
        )
        override = np.where(in_force(state, at), state["override"], 0)
        score = np.where(override != 0, state["override_score"], standing)
        changes_at = _earliest(changes_at, hold_until, _ends(state, override))
    return Evaluation(
        account=facts.account,
        codes=ruleset.codes,
        counts=measures.counts,
        since=measures.since,
        points=points,
        standing=standing,
        hold_until=hold_until,
        override=override,
        score=score,
        level=scoring.levels(score, ruleset),
        fingerprint=scoring.fingerprint(points, measures.counts, measures.since, _ageing(ruleset)),
        changes_at=np.where(changes_at == FOREVER, NEVER, changes_at),
    )


def _ageing(ruleset: Ruleset) -> list[int]:
    """Return the columns whose counts grow with time alone."""
    return [
        column
        for column, factor in enumerate(ruleset.factors)
        if factor.code == "account_age"
        or (factor.measure is not None and factor.measure.aggregate in ELAPSED)
    ]


def in_force(state: dict[str, Ints], at: int) -> Mask:
    """Return which accounts have an override that has not ended."""
    ends = state["override_expires_at"]
    return (state["override"] != 0) & ((ends == NEVER) | (ends > at))


def _ends(state: dict[str, Ints], override: Ints) -> Ints:
    return np.where(override != 0, state["override_expires_at"], NEVER)


def _earliest(first: Ints, *others: Ints) -> Ints:
    for other in others:
        first = np.where(other == NEVER, first, np.minimum(first, other))
    return first


@dataclass(frozen=True, slots=True)
class Changes:
    """Which accounts of an evaluation differ from what is stored, and how."""

    new: Mask
    any: Mask
    noted: Mask  # score, level or ruleset differ: the history gets a row
    override: Mask
    ruleset: Mask


def compare(evaluation: Evaluation, state: dict[str, Ints], ruleset_id: int) -> Changes:
    """Find what is to be written."""
    new = state["version"] == 0
    ruleset = state["ruleset"] != ruleset_id
    override = state["stored_override"] != evaluation.override
    noted = new | ruleset | (state["score"] != evaluation.score)
    noted |= state["level"] != evaluation.level
    content = (
        (state["raw"] != evaluation.points.raw)
        | (state["fingerprint"] != evaluation.fingerprint)
        | (state["computed"] != evaluation.points.score)
        | (state["standing"] != evaluation.standing)
        | (state["hold_until"] != evaluation.hold_until)
        | (state["changes_at"] != evaluation.changes_at)
        | override
    )
    return Changes(new=new, any=noted | content, noted=noted, override=override, ruleset=ruleset)
