"""Marks and addresses of accounts that every queue of the risk desk shows."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from riskops.models.scores import Level


def account_url(pk: int) -> str:
    """Return the address of an account's page."""
    return reverse("admin:riskops_account_change", args=[pk])


def level_mark(score: Any) -> tuple[str, Any]:
    """Return a score as a mark with its level in words."""
    if score is None:
        return "", _("Not scored")
    level = Level(score.level)
    tone = "bad" if level >= Level.HIGH else "warn" if level == Level.ELEVATED else ""
    return tone, f"{level.label} {score.score}"
