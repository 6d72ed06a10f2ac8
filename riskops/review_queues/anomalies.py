"""The queue of open anomalies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Case, SmallIntegerField, Value, When
from django.utils.translation import gettext_lazy as _

from riskops import services
from riskops.anomalies.evidence import evidence_rows
from riskops.anomalies.rules import BY_CODE
from riskops.models import Anomaly, AnomalyStatus, Outcome, Severity
from riskops.models.scores import Level
from riskops.querysets.shown_scores import shown_score
from riskops.review_queues.marks import level_mark
from systemadmin.foundation.display import display_name
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue, Reason

TONES = {"critical": "bad", "high": "bad", "medium": "warn"}

_RANK = Case(
    *[
        When(severity=severity, then=Value(rank))
        for rank, severity in enumerate(reversed(Severity.values))
    ],
    output_field=SmallIntegerField(),
)


def rule_title(anomaly: Any) -> Any:
    """Return what the rule looks for, in words."""
    detector = BY_CODE.get(anomaly.rule.detector)
    return detector.title if detector else anomaly.rule.code


def _anomaly_card(anomaly: Any) -> Card:
    marks = [(TONES.get(anomaly.severity, ""), anomaly.get_severity_display())]
    score = getattr(anomaly.account, "risk_score", None)
    if score is not None and score.level >= Level.ELEVATED:
        marks.append(level_mark(score))
    return Card(
        title=rule_title(anomaly),
        line=display_name(anomaly.account),
        marks=marks,
        since=anomaly.detected_at,
    )


def _anomaly_panels(_request: Any, anomaly: Any) -> list[Panel]:
    return [
        Panel(
            title=_("What was seen"),
            rows=[
                (_("Account"), display_name(anomaly.account)),
                (_("Rule"), rule_title(anomaly)),
                (_("Times"), anomaly.hits),
                (_("First"), anomaly.first_hit_at),
                (_("Last"), anomaly.last_hit_at),
            ],
        ),
        Panel(title=_("At the last time"), rows=evidence_rows(anomaly.evidence)),
    ]


def _reopen_anomaly(*, actor: Any, thing: Any) -> None:
    services.reopen_anomaly(actor=actor, anomaly=thing)


def _outcome(outcome: Outcome, key: str, title: Any, tone: str = "", icon: str = "") -> Decision:
    return Decision(
        code=outcome.value.replace("_", "-"),
        action="resolve",
        title=title,
        key=key,
        tone=tone,
        icon=icon,
        preset={"outcome": outcome.value},
        text="note",
        undo=_reopen_anomaly,
        for_several=True,
    )


def _anomaly_reasons() -> Sequence[Reason]:
    return [
        Reason(title=_("Known to us"), body=_("The member told us beforehand.")),
        Reason(title=_("Travelling"), body=_("The member is travelling.")),
        Reason(title=_("Shared network"), body=_("Many people share this network.")),
        Reason(title=_("Watch the next one"), body=_("Not enough yet: watch the next one.")),
    ]


ANOMALIES = Queue(
    code="anomalies",
    model="riskops.Anomaly",
    rows=lambda user: (
        Anomaly.objects.select_related("rule", "account", "resolved_by")
        .prefetch_related(shown_score(user, of="account"))
        .annotate(rank=_RANK)
    ),
    waiting=lambda rows: rows.filter(status=AnomalyStatus.OPEN),
    order=("rank", "detected_at", "pk"),
    card=_anomaly_card,
    panels=_anomaly_panels,
    account=lambda anomaly: anomaly.account,
    decisions=[
        _outcome(Outcome.CONFIRMED, "a", _("Confirmed"), "bad", "flag"),
        _outcome(Outcome.FALSE_POSITIVE, "r", _("False positive"), "good", "check"),
        _outcome(Outcome.EXPECTED, "e", _("Expected")),
        _outcome(Outcome.VALUABLE, "v", _("No harm done")),
    ],
    reasons=_anomaly_reasons,
    text_label=_("Note, kept with the anomaly"),
    decided=lambda anomaly: (anomaly.resolved_by, anomaly.resolved_at),
)
