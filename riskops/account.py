"""The risk desk's corner on the account page."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from riskops.models import RiskScore
from riskops.models.scores import Level
from riskops.scores.explanation import explain
from systemadmin.foundation.plugins import AccountPanel

SHOWN_REASONS = 3


def risk_summary(user: Any) -> list[tuple[Any, Any, str | None]]:
    """Score, level and the weightiest reasons."""
    score = RiskScore.objects.with_details().filter(pk=user.pk).first()
    if score is None:
        return [(_("Score"), _("not scored yet"), None)]
    url = reverse("admin:riskops_riskscore_change", args=[user.pk])
    lines: list[tuple[Any, Any, str | None]] = [
        (_("Score"), f"{score.score} · {Level(score.level).label}", url)
    ]
    if score.override is not None:
        lines.append((_("Override"), score.override.reason, url))
    reasons = explain(score.breakdown, score.ruleset.rules, account=score.pk)
    for reason in reasons[:SHOWN_REASONS]:
        lines.append((f"{reason.title}: {reason.text}", f"{reason.points:+d}", None))
    return lines


PANELS = [
    AccountPanel(
        title=_("Risk"), order=5, permission="riskops.view_riskscore", summary=risk_summary
    )
]
