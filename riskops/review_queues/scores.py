"""The queue of accounts whose score asks for a review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from riskops.models import RiskScore
from riskops.models.scores import Level, Verdict
from riskops.querysets.shown_scores import not_own
from riskops.review_queues.marks import level_mark
from riskops.scores.explanation import explain
from riskops.scores.waterfall import waterfall
from systemadmin.foundation.display import display_name
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue, Reason
from systemadmin.services import reinstate_user


def _score_card(score: Any) -> Card:
    return Card(
        title=display_name(score.account),
        line=gettext("Suspended") if score.account.is_suspended else "",
        marks=[level_mark(score)],
        since=score.review_since,
    )


def score_panel(score: Any) -> Panel:
    """Return why the score is what it is, as a waterfall, and what would change it."""
    reasons = explain(score.breakdown, score.ruleset.rules, account=score.pk)
    return Panel(
        title=gettext("Why %(score)d") % {"score": score.score},
        template="admin/review/score.html",
        context=waterfall(reasons, score.computed),
        mark=Level(score.level).label,
        tone=level_mark(score)[0],
    )


def _fraud(score: Any, _data: Any) -> str:
    text = gettext(
        "Fraud is recorded for %(name)s: the rules and the linked accounts learn from it."
    )
    return text % {"name": display_name(score.account)}


def _legitimate(score: Any, _data: Any) -> str:
    text = gettext("%(name)s is recorded as legitimate: it lowers the score and teaches the rules.")
    return text % {"name": display_name(score.account)}


def _reinstate(*, actor: Any, thing: Any) -> None:
    reinstate_user(actor=actor, user=thing.account)


def _verdict_reasons() -> Sequence[Reason]:
    return [
        Reason(title=_("Same owner as a suspended account"),
               body=_("The same person as an account that is suspended.")),
        Reason(title=_("Payout details of somebody else"),
               body=_("The payout details belong to somebody else.")),
        Reason(title=_("Sold and did not send"), body=_("Sales were paid and nothing was sent.")),
        Reason(title=_("Identity was checked"), body=_("The identity was checked and is right.")),
    ]  # fmt: skip


FLAGGED = Queue(
    code="flagged",
    model="riskops.RiskScore",
    rows=lambda user: not_own(RiskScore.objects.with_details(), user),
    waiting=lambda rows: rows.filter(review_since__isnull=False),
    order=("-score", "review_since", "pk"),
    card=_score_card,
    panels=lambda _request, score: [score_panel(score)],
    account=lambda score: score.account,
    decisions=[
        Decision(
            code="legitimate",
            action="give_outcome",
            title=_("Legitimate"),
            key="y",
            icon="check",
            preset={"verdict": Verdict.LEGITIMATE.value},
            text="note",
            consequence=_legitimate,
        ),
        Decision(
            code="fraud",
            action="give_outcome",
            title=_("Fraud"),
            key="f",
            tone="bad",
            icon="flag",
            preset={"verdict": Verdict.CONFIRMED_FRAUD.value},
            text="note",
            consequence=_fraud,
        ),
        Decision(
            code="suspend",
            action="suspend",
            title=_("Suspend"),
            key="s",
            tone="bad",
            icon="ban",
            text="reason",
            needs_text=True,
            undo=_reinstate,
            applies=lambda score: not score.account.is_suspended,
        ),
    ],
    reasons=_verdict_reasons,
    text_label=_("Why"),
)
