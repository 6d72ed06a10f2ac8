"""What follows when an account's risk rises: alerts, a flag for review, a suspension."""

from __future__ import annotations

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from riskops.announcements import announce_levels
from riskops.events import risk_level_changed
from riskops.models import RiskScore
from riskops.scores.evaluation import Evaluation
from riskops.scores.rules import LEVELS, Ruleset
from riskops.scores.scoring import Ints
from systemadmin.foundation.errors import DomainError
from systemadmin.models import User
from systemadmin.services import raise_alert, resolve_alert, suspend_user

ALERT_RULE = "riskops.high_score"
# More at once share one alert: nobody reads the hundredth.
SINGLE_ALERTS = 20


def apply_level_actions(
    evaluation: Evaluation, state: dict[str, Ints], rows: Ints, rules: Ruleset
) -> None:
    """Acts on the written rows whose score crossed the alert threshold or changed level."""
    score, before = evaluation.score[rows], state["score"][rows]
    level, level_before = evaluation.level[rows], state["level"][rows]
    over, was_over = score >= rules.alert_threshold, before >= rules.alert_threshold
    wants = {action: _levels_with(rules, action) for action in ("alert", "review", "suspend")}
    rose = level > level_before
    _alert(evaluation, rows[over & ~was_over & np.isin(level, wants["alert"])])
    _calm(evaluation, rows[was_over & ~over])
    _flag(evaluation.account[rows[rose & np.isin(level, wants["review"])]])
    _suspend(evaluation, rows[rose & np.isin(level, wants["suspend"])])
    # First scores are no change of level, or a first load would send a million signals.
    changed = rows[(level != level_before) & (level_before >= 0)]
    for row in changed.tolist():
        risk_level_changed.send(
            sender=RiskScore,
            user_id=int(evaluation.account[row]),
            level=LEVELS[evaluation.level[row]],
            previous_level=LEVELS[state["level"][row]],
        )
    announce_levels(
        (
            int(evaluation.account[row]),
            LEVELS[evaluation.level[row]],
            LEVELS[state["level"][row]],
            int(evaluation.score[row]),
        )
        for row in changed.tolist()
    )


def _levels_with(rules: Ruleset, action: str) -> list[int]:
    return [i for i, level in enumerate(LEVELS) if action in rules.actions.get(level, ())]


def _key(account: int) -> str:
    return f"account:{account}"


def _alert(evaluation: Evaluation, rows: Ints) -> None:
    if len(rows) > SINGLE_ALERTS:
        accounts = evaluation.account[rows]
        raise_alert(
            rule=ALERT_RULE,
            severity="warning",
            summary=gettext_noop("%(count)s accounts rose above the alert threshold."),
            facts={"count": len(rows)},
            detail=", ".join(map(str, accounts[:100].tolist())),
            key=f"accounts:{accounts[0]}-{accounts[-1]}",
        )
        return
    for row in rows.tolist():
        account, score = int(evaluation.account[row]), int(evaluation.score[row])
        raise_alert(
            rule=ALERT_RULE,
            severity="critical" if evaluation.level[row] == len(LEVELS) - 1 else "warning",
            summary=gettext_noop("Account %(account)s rose to a risk score of %(score)s."),
            facts={"account": account, "score": score},
            key=_key(account),
        )


def _calm(evaluation: Evaluation, rows: Ints) -> None:
    for account in evaluation.account[rows].tolist():
        resolve_alert(rule=ALERT_RULE, key=_key(account))


def _flag(accounts: Ints) -> None:
    if len(accounts):
        RiskScore.objects.filter(pk__in=accounts.tolist(), review_since__isnull=True).update(
            review_since=timezone.now()
        )


def _suspend(evaluation: Evaluation, rows: Ints) -> None:
    """Suspend the members among these accounts; about staff only staff decide."""
    scores = dict(
        zip(evaluation.account[rows].tolist(), evaluation.score[rows].tolist(), strict=True)
    )
    members = User.objects.filter(pk__in=scores, is_staff=False, is_superuser=False)
    for user in members.iterator(chunk_size=500):
        try:
            suspend_user(
                actor=None,
                user=user,
                reason=_("Risk score %(score)s.") % {"score": scores[user.pk]},
            )
        except DomainError:
            continue  # suspended already
