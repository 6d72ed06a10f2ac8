"""What waits for the risk desk: accounts, anomalies, pairs and groups that nobody has judged."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from riskops.links.related import percent_of
from riskops.models import AccountCluster, Anomaly, RelatedAccount, RiskScore
from riskops.models.scores import Level
from riskops.querysets.shown_scores import shown_scores
from riskops.review_queues import ANOMALIES, CLUSTERS, FLAGGED, PAIRS
from systemadmin.foundation.display import display_name
from systemadmin.foundation.plugins import Desk, DeskPage, Line, Worklist
from systemadmin.foundation.review_queues import Queue
from systemadmin.foundation.waiting import change_page


def _accounts(user: Any) -> QuerySet[RiskScore]:
    found = shown_scores(user).unjudged()
    return found.select_related("account").order_by("-score", "-account")


def _flagged(user: Any) -> QuerySet[RiskScore]:
    return (
        shown_scores(user)
        .filter(review_since__isnull=False)
        .select_related("account")
        .order_by("review_since", "pk")
    )


def _anomalies(user: Any) -> QuerySet[Anomaly]:
    return Anomaly.objects.open().worst_first().select_related("account", "rule")


def _pairs(user: Any) -> QuerySet[RelatedAccount]:
    return RelatedAccount.objects.suspected().shown_with().order_by("-strength", "-pk")


def _clusters(user: Any) -> QuerySet[AccountCluster]:
    return AccountCluster.objects.suspected().order_by("-size", "-pk")


def _score(score: RiskScore) -> Line:
    level = Level(score.level)
    return Line(
        title=display_name(score.account),
        url=change_page(score.account, "riskops_account"),
        text=f"@{score.account.username}",
        at=score.review_since or score.calculated_at,
        level=level.sign,
        level_title=f"{level.label} {score.score}",
        account=score.account,
    )


def _anomaly(anomaly: Anomaly) -> Line:
    return Line(
        title=anomaly.rule.get_detector_display(),
        url=change_page(anomaly),
        text=display_name(anomaly.account),
        at=anomaly.detected_at,
        level=anomaly.severity,
        level_title=anomaly.get_severity_display(),
    )


def _pair(pair: RelatedAccount) -> Line:
    return Line(
        title=f"{display_name(pair.low)} + {display_name(pair.high)}",
        url=change_page(pair),
        text=_("%(percent)s %% same person") % {"percent": percent_of(pair.probability)},
        at=pair.calculated_at,
        badge=str(pair.strength),
    )


def _cluster(cluster: AccountCluster) -> Line:
    return Line(
        title=_("Group of %(size)s accounts") % {"size": cluster.size},
        url=change_page(cluster),
        at=cluster.created_at,
        badge=str(cluster.strength),
    )


def _review(queue: Queue) -> str:
    return reverse("admin:review_queue", args=[queue.code])


def _list(model: str, query: str = "") -> str:
    return f"{reverse(f'admin:riskops_{model}_changelist')}{query}"


DESKS = [
    Desk(
        code="risk",
        key="a",
        title=_("Risk"),
        icon="shield-alert",
        order=30,
        models=["riskops"],
        start="admin:riskops_riskscore_changelist",
        pages=[
            DeskPage(
                title=_("Calibration"),
                view="admin:riskops_calibration",
                permission="riskops.view_rulesettrial",
            )
        ],
    )
]
WORKLISTS = [
    Worklist(
        code="riskops.flagged",
        title=_("Accounts flagged for review"),
        permission="riskops.record_riskoutcome",
        rows=_flagged,
        url=lambda: _review(FLAGGED),
        queue=FLAGGED,
        added="review_since",
        line=_score,
        icon="flag",
        order=21,
    ),
    Worklist(
        code="riskops.high",
        title=_("Accounts at high or critical risk"),
        permission="riskops.record_riskoutcome",
        rows=_accounts,
        url=lambda: _list("riskscore"),
        added="calculated_at",
        line=_score,
        icon="shield-alert",
        order=20,
        is_urgent=True,
    ),
    Worklist(
        code="riskops.anomalies",
        title=_("Anomalies to judge"),
        permission="riskops.resolve_anomaly",
        rows=_anomalies,
        url=lambda: _review(ANOMALIES),
        queue=ANOMALIES,
        added="detected_at",
        line=_anomaly,
        icon="activity",
        order=22,
    ),
    Worklist(
        code="riskops.pairs",
        title=_("Related accounts to judge"),
        permission="riskops.judge_relatedaccount",
        rows=_pairs,
        url=lambda: _review(PAIRS),
        queue=PAIRS,
        added="calculated_at",
        line=_pair,
        icon="link-2",
        order=23,
    ),
    Worklist(
        code="riskops.clusters",
        title=_("Groups to decide"),
        permission="riskops.judge_accountcluster",
        rows=_clusters,
        url=lambda: _review(CLUSTERS),
        queue=CLUSTERS,
        added="created_at",
        line=_cluster,
        icon="network",
        order=24,
    ),
]
