"""Calculates and writes risk scores: of one account or of a whole range, by the same code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from riskops import bulk
from riskops.account_sets import Accounts
from riskops.bulk import Column
from riskops.ingest.store import mark_pending
from riskops.models import (
    PendingScore,
    RiskOverride,
    RiskRuleset,
    RiskScore,
    RiskScoreHistory,
)
from riskops.models.scores import Cause
from riskops.scores import reactions
from riskops.scores.evaluation import Changes, Evaluation, compare, evaluate
from riskops.scores.facts import read_dossier, to_micros
from riskops.scores.rules import LEVELS
from riskops.scores.rulesets import current_ruleset
from riskops.scores.scoring import Ints
from systemadmin import audit
from systemadmin.models import User

SCORE_TABLE = RiskScore._meta.db_table
HISTORY_TABLE = RiskScoreHistory._meta.db_table


@dataclass(slots=True)
class Scored:
    """What scoring some accounts came to."""

    scored: int = 0
    written: int = 0
    by_level: list[int] = field(default_factory=lambda: [0] * len(LEVELS))

    def add(self, other: Scored) -> None:
        self.scored += other.scored
        self.written += other.written
        self.by_level = [a + b for a, b in zip(self.by_level, other.by_level, strict=True)]


@transaction.atomic
def calculate_score(
    *,
    account: User,
    actor: User | None = None,
    cause: str = Cause.MANUAL,
    at: datetime | None = None,
    noted_for: User | None = None,
) -> RiskScore:
    """Calculate the score of one account now and return it.

    `actor` asked for just that, which is audited; `noted_for` did something else that is audited
    elsewhere. The history names either.
    """
    result = score_accounts(
        Accounts.listed([account.pk]),
        at=at or timezone.now(),
        ruleset=current_ruleset(),
        cause=cause,
        actor=actor or noted_for,
    )
    if actor is not None:
        audit.record(
            "riskops.score.calculated",
            actor=actor,
            target=account,
            metadata={"changed": bool(result.written)},
        )
    return RiskScore.objects.with_details().get(pk=account.pk)


def provisional_score(account: User) -> RiskScore:
    """Return the score of an account that was not scored yet, without writing it."""
    ruleset, at = current_ruleset(), timezone.now()
    dossier = read_dossier(Accounts.listed([account.pk]), ruleset.rules, at=at)
    found = evaluate(dossier, ruleset.rules, at=to_micros(at), ruleset_id=ruleset.pk)
    return RiskScore(
        account=account,
        raw=int(found.points.raw[0]),
        computed=int(found.points.score[0]),
        standing=int(found.standing[0]),
        score=int(found.score[0]),
        level=int(found.level[0]),
        ruleset=ruleset,
        breakdown=json.loads(found.breakdowns(np.array([0]))[0]),
        calculated_at=at,
    )


@transaction.atomic
def score_accounts(
    accounts: Accounts,
    *,
    at: datetime,
    ruleset: RiskRuleset,
    cause: str,
    actor: User | None = None,
) -> Scored:
    """Scores accounts from their facts and writes only what changed, with history.

    An account whose facts or score change meanwhile is noted to be scored again.
    """
    take_off_pending(accounts)
    moment = to_micros(at)
    dossier = read_dossier(accounts, ruleset.rules, at=at)
    evaluation = evaluate(dossier, ruleset.rules, at=moment, ruleset_id=ruleset.pk)
    changes = compare(evaluation, dossier.state, ruleset.pk)
    writer = _Writer(evaluation, changes, dossier.state, ruleset, moment)
    written = writer.write()
    writer.note(written, cause, actor)
    _end_overrides(dossier.state, evaluation)
    reactions.apply_level_actions(evaluation, dossier.state, written, ruleset.rules)
    return Scored(
        scored=len(evaluation),
        written=len(written),
        by_level=np.bincount(evaluation.level, minlength=len(LEVELS)).tolist(),
    )


def take_off_pending(accounts: Accounts) -> None:
    """Take accounts off the list before their facts are read, so that no later batch is missed."""
    waiting = PendingScore.objects.filter(accounts.q("account_id")).order_by("account_id")
    if accounts.ids is not None:
        listed = set(accounts.ids)
        ids = [pk for pk in waiting.values_list("pk", flat=True) if pk in listed]
        waiting = PendingScore.objects.filter(pk__in=ids).order_by("account_id")
    if connection.vendor == "postgresql":
        # Waits for batches under way and takes the rows in the order in which they do.
        list(waiting.select_for_update().values_list("pk", flat=True))
    waiting.order_by()._raw_delete(waiting.db)


def _end_overrides(state: dict[str, Ints], evaluation: Evaluation) -> None:
    expired = state["override"][(state["override"] != 0) & (evaluation.override == 0)]
    for override in RiskOverride.objects.filter(pk__in=expired.tolist()):
        override.ended_at = override.expires_at
        override.save(update_fields=["ended_at"])


class _Writer:
    """Writes the changed rows of an evaluation."""

    def __init__(
        self,
        evaluation: Evaluation,
        changes: Changes,
        state: dict[str, Ints],
        ruleset: RiskRuleset,
        moment: int,
    ) -> None:
        self.evaluation = evaluation
        self.changes = changes
        self.state = state
        self.ruleset = ruleset
        self.moment = moment
        self.rows = np.flatnonzero(changes.any)
        self.breakdown = dict(
            zip(self.rows.tolist(), evaluation.breakdowns(self.rows), strict=True)
        )

    def write(self) -> Ints:
        """Write scores; return the rows written, which a concurrent run may have made fewer."""
        new = self.changes.new[self.rows]
        inserted = self._insert(self.rows[new])
        updated = self._update(self.rows[~new])
        written = {account for (account,) in inserted} | {account for (account,) in updated}
        accounts = self.evaluation.account[self.rows]
        if len(written) == len(self.rows):
            return self.rows
        done = np.isin(accounts, np.array(sorted(written), dtype=np.int64))
        mark_pending(accounts[~done].tolist())
        return self.rows[done]

    def _columns(self, rows: Ints) -> list[Column]:
        e = self.evaluation
        size = len(rows)
        override = [pk or None for pk in e.override[rows].tolist()]
        return [
            Column("account_id", "bigint", e.account[rows].tolist()),
            Column("raw", "integer", e.points.raw[rows].tolist()),
            Column("computed", "smallint", e.points.score[rows].tolist()),
            Column("standing", "smallint", e.standing[rows].tolist()),
            Column("hold_until", "micros", e.hold_until[rows]),
            Column("override_id", "bigint", override),
            Column("score", "smallint", e.score[rows].tolist()),
            Column("level", "smallint", e.level[rows].tolist()),
            Column("ruleset_id", "bigint", [self.ruleset.pk] * size),
            Column("breakdown", "jsonb", [self.breakdown[row] for row in rows.tolist()]),
            Column("fingerprint", "bigint", e.fingerprint[rows].tolist()),
            Column("calculated_at", "micros", np.full(size, self.moment)),
            Column("changes_at", "micros", e.changes_at[rows]),
            Column("version", "integer", (self.state["version"][rows] + 1).tolist()),
        ]

    def _insert(self, rows: Ints) -> list[tuple[int]]:
        return bulk.insert(
            SCORE_TABLE,
            self._columns(rows),
            conflict="account_id",
            order_by="account_id",
            returning="account_id",
        )

    def _update(self, rows: Ints) -> list[tuple[int]]:
        if not len(rows):
            return []
        columns = self._columns(rows)
        accounts = self.evaluation.account[rows]
        # The range lets the planner read one part of the index instead of the table.
        inside = f"t.account_id BETWEEN {accounts.min()} AND {accounts.max()}"
        return bulk.update(
            SCORE_TABLE,
            columns,
            assign=[f"{c.name} = v.{c.name}" for c in columns if c.name != "account_id"],
            where=f"t.account_id = v.account_id AND t.version = v.version - 1 AND {inside}",
            returning="account_id",
        )

    def note(self, written: Ints, cause: str, actor: User | None) -> None:
        """Append the history of the rows whose score, level or ruleset changed."""
        rows = written[self.changes.noted[written]]
        e = self.evaluation
        size = len(rows)
        previous = self.state["score"][rows].tolist()
        bulk.insert(
            HISTORY_TABLE,
            [
                Column("account_id", "bigint", e.account[rows].tolist()),
                Column("at", "micros", np.full(size, self.moment)),
                Column("cause", "text", self._causes(rows, cause)),
                Column("actor_id", "bigint", [actor.pk if actor else None] * size),
                Column("raw", "integer", e.points.raw[rows].tolist()),
                Column("computed", "smallint", e.points.score[rows].tolist()),
                Column("score", "smallint", e.score[rows].tolist()),
                Column("level", "smallint", e.level[rows].tolist()),
                Column("previous_score", "smallint", [None if s < 0 else s for s in previous]),
                Column("ruleset_id", "bigint", [self.ruleset.pk] * size),
                Column("breakdown", "jsonb", [self.breakdown[row] for row in rows.tolist()]),
            ],
        )

    def _causes(self, rows: Ints, cause: str) -> Sequence[str]:
        """Return the causes; an override or a new ruleset is the cause whoever noticed it."""
        fresh_rules = self.changes.ruleset[rows] & ~self.changes.new[rows]
        causes = np.where(fresh_rules, Cause.RULESET.value, str(cause))
        return np.where(self.changes.override[rows], Cause.OVERRIDE.value, causes).tolist()
