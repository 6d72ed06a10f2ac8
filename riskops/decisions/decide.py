"""Decide in the moment: take the event in, ask the rules and write the answer down in one call."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops import bulk
from riskops.bulk import Column
from riskops.decisions.budget import OutOfTime, time_limit
from riskops.decisions.decision_request import DecisionRequest, event_content
from riskops.decisions.keys import Key, event_keys
from riskops.decisions.known_state import KnownState, look_up
from riskops.decisions.rulebook import Listed, Match, matching, rules_and_lists
from riskops.errors import AskedDifferently, EventDiffers
from riskops.events import decision_made
from riskops.ingest.event_sums import holding_back_retention
from riskops.ingest.record import Refused, record_checked
from riskops.ingest.sightings import ALL, numbers_of
from riskops.ingest.store import identifiers_of
from riskops.models import AccountEvent, Decision, RiskScore
from riskops.models.decisions import DecisionOutcome
from riskops.scores.calculate import provisional_score
from systemadmin.foundation import configuration
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

logger = logging.getLogger("atalaya.decisions")

TABLE = Decision._meta.db_table
# Part of the time that is kept for writing down an answer by default.
SPARE = 0.2


@dataclass(slots=True)
class DecisionResult:
    """A decision with what was done about its event."""

    decision: Decision
    # recorded, known (it was in the log already) or none (nothing was to be recorded).
    event: str
    is_repeated: bool = False


@dataclass(slots=True)
class _Account:
    """What a decision needs to know of its account."""

    user: User
    score: RiskScore


def decide(question: DecisionRequest) -> DecisionResult:
    """Answer a question; the same one again gets the same answer.

    Raises `AskedDifferently` when its id was used for another question. When the database does
    not answer in time the outcome is the stated default.
    """
    started = time.monotonic()
    seconds = int(configuration.setting("risk.decision_timeout_ms")) / 1000
    try:
        return _decide(question, started, seconds * (1 - SPARE))
    except (DatabaseError, OutOfTime):
        logger.warning("decided by default", exc_info=True)
    return _default(question, started, seconds)


def _decide(question: DecisionRequest, started: float, seconds: float) -> DecisionResult:
    first = holding_back_retention() if question.happened else ""
    with transaction.atomic(), time_limit(seconds, first=first):
        before = look_up(question)
        if before.decision_id is not None:
            known = _known(question)
            if known is not None:
                return known
        user = _user(question, before)
        event, state = _take_in(question, before)
        # After the event is recorded: the score of an account without one counts it.
        account = _Account(user, getattr(user, "risk_score", None) or provisional_score(user))
        rules, listed = rules_and_lists(_keys(question, account))
        matches = matching(rules, _row(question, event, account, listed))
        decision = _decision(question, event, account, matches, listed)
        decision.took_ms = round((time.monotonic() - started) * 1000)
        if not _write(decision):
            # A rival with the same question was faster, and has committed.
            known = _known(question)
            if known is None:
                raise OutOfTime
            return known
        decision_made.send(
            sender=Decision,
            decision_id=decision.pk,
            user_id=decision.account_id,
            outcome=decision.outcome,
        )
        return DecisionResult(decision, state)


def _known(question: DecisionRequest) -> DecisionResult | None:
    """Return the answer that was given before to the same question."""
    if not question.external_id:
        return None
    rows = Decision.objects.shown_with()
    found = rows.filter(source=question.source, external_id=question.external_id).first()
    if found is None:
        return None
    if found.fingerprint != question.fingerprint:
        raise AskedDifferently
    event = "known" if found.event_id else "none"
    return DecisionResult(found, event, is_repeated=True)


# -- the event ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stored:
    """Numbers of an event and of the identifiers that it names."""

    id: int | None
    ids: tuple[int | None, ...]


def _take_in(question: DecisionRequest, before: KnownState) -> tuple[_Stored, str]:
    event = question.event
    if not question.happened:
        return _Stored(None, numbers_of(event, before.identifiers)), "none"
    if before.event_id is None:
        try:
            written = record_checked(
                event,
                source=question.source,
                known=before.identifiers,
                summed_until=before.summed_until,
            )
        except Refused as refused:
            why = refused.refusal
            raise InvalidInput(f"event.{why.field}", why.detail, code=why.code) from refused
        if event.index in written.events:
            ids = numbers_of(event, written.identifiers)
            return _Stored(written.events[event.index], ids), "recorded"
    return _stored_event(question), "known"


def _stored_event(question: DecisionRequest) -> _Stored:
    names = [name for name, _kind in ALL]
    found = (
        AccountEvent.objects.filter(source=question.source, external_id=question.external_id)
        .values_list(
            "pk",
            "kind",
            "account_id",
            "occurred_at",
            *(f"{name}_id" for name in names),
            *(f"{name}__value" for name in names),
            "amount",
            "currency",
            "country",
            "data",
        )
        .first()
    )
    if found is None:  # deleted by retention meanwhile
        return _Stored(None, identifiers_of(question.event))
    event = question.event
    content = [*found[8:12], *found[12:]]
    if [*found[1:4], *content] != [event.kind, event.account_id, event.occurred_at] + event_content(
        event
    ):
        raise EventDiffers
    return _Stored(found[0], tuple(found[4:8]))


# -- the account -------------------------------------------------------------------


def _user(question: DecisionRequest, before: KnownState) -> User:
    if before.account is None:
        field = "event.account" if question.happened else "account"
        raise InvalidInput(field, _("There is no such account."), code="unknown_account")
    return before.account


def _keys(question: DecisionRequest, account: _Account) -> list[Key]:
    pk, email = account.user.pk, account.user.email
    return event_keys(question.event, account_id=pk, email=email, data=question.data)


def _row(
    question: DecisionRequest, stored: _Stored, account: _Account, listed: Listed
) -> tuple[Any, ...]:
    """Return the event as `riskops.decisions.sql` asks it."""
    event = question.event
    return (
        stored.id,
        event.account_id,
        event.kind,
        event.occurred_at,
        question.source,
        *stored.ids,
        event.amount,
        event.currency,
        event.country,
        event.data,
        account.score.score,
        account.score.level,
        account.user.date_joined,
        *(int(name in listed) for name in ("allow", "deny", "watch")),
    )


# -- the answer --------------------------------------------------------------------


def _decision(
    question: DecisionRequest,
    stored: _Stored,
    account: _Account,
    matches: list[Match],
    listed: Listed,
) -> Decision:
    decisive = next((match.rule for match in matches if not match.rule.is_shadow), None)
    score = account.score
    decision = _blank(question, decisive.outcome if decisive else DecisionOutcome.ALLOW.value)
    decision.event_id = stored.id
    decision.account = account.user
    decision.rule_id = decisive.id if decisive else None
    decision.score, decision.level = score.score, score.level
    decision.ruleset, decision.breakdown = score.ruleset, score.breakdown
    decision.matched = [match.to_dict(listed) for match in matches]
    return decision


def _blank(question: DecisionRequest, outcome: str) -> Decision:
    return Decision(
        source=question.source,
        external_id=question.external_id,
        fingerprint=question.fingerprint,
        account_id=question.event.account_id,
        kind=question.event.kind,
        outcome=outcome,
        decided_at=timezone.now(),
    )


def _write(decision: Decision) -> bool:
    """Write a decision; False when its question was answered by somebody else."""
    columns = (
        ("source", "text", decision.source),
        ("external_id", "text", decision.external_id),
        ("fingerprint", "text", decision.fingerprint),
        ("account_id", "bigint", decision.account_id),
        ("kind", "smallint", decision.kind),
        ("event_id", "bigint", decision.event_id),
        ("outcome", "text", decision.outcome),
        ("rule_id", "bigint", decision.rule_id),
        ("score", "smallint", decision.score),
        ("level", "smallint", decision.level),
        ("ruleset_id", "bigint", decision.ruleset_id),
        ("breakdown", "jsonb", decision.breakdown),
        ("matched", "jsonb", decision.matched),
        ("is_default", "boolean", decision.is_default),
        ("decided_at", "timestamptz", decision.decided_at),
        ("took_ms", "integer", decision.took_ms),
        ("feedback", "text", ""),
    )
    rows = bulk.insert(
        TABLE,
        [Column(name, type_, [value]) for name, type_, value in columns],
        conflict="source, external_id",
        conflict_where="NOT external_id = ''",
        returning="id",
    )
    if rows:
        decision.pk = rows[0][0]
    return bool(rows)


def _default(question: DecisionRequest, started: float, seconds: float) -> DecisionResult:
    """Return the stated default, written down if the database can still do so in the time left."""
    outcome = str(configuration.setting("risk.decision_default"))
    decision = _blank(question, outcome)
    decision.is_default = True
    left = seconds - (time.monotonic() - started)
    try:
        with transaction.atomic(), time_limit(max(left, seconds * SPARE / 2)):
            decision.account = User(pk=question.event.account_id)
            decision.took_ms = round((time.monotonic() - started) * 1000)
            if not _write(decision):
                known = _known(question)
                if known is not None:
                    return known
    except (DatabaseError, OutOfTime):
        logger.warning("a decision by default was not written down", exc_info=True)
    return DecisionResult(decision, "none")
