"""What waits for the risk desk."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from riskops.models import RiskScore
from systemadmin.foundation.plugins import Worklist


def _to_review(user: Any) -> int:
    return RiskScore.objects.filter(review_since__isnull=False).count()


def _review_url() -> str:
    return reverse("admin:riskops_riskscore_changelist") + "?review_since__isempty=0"


WORKLISTS = [
    Worklist(
        title=_("Accounts flagged for review"),
        permission="riskops.view_riskscore",
        count=_to_review,
        url=_review_url,
        order=20,
    ),
]
