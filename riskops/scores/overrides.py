"""Scores set by staff: a reason, an end, and the computed score beside it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops import concerned
from riskops.errors import NoOverrideInForce
from riskops.models import RiskOverride, RiskScore
from riskops.models.scores import Cause
from riskops.scores.calculate import calculate_score
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides


def _in_force(account: User) -> RiskOverride | None:
    return RiskOverride.objects.filter(account=account, ended_at__isnull=True).first()


@decides(
    "riskops.override_score", permission="riskops.override_riskscore", concerns=concerned.account
)
@transaction.atomic
def override_score(
    *,
    actor: User | None,
    account: User,
    score: int,
    reason: str,
    expires_at: datetime | None = None,
) -> RiskScore:
    """Sets the score of an account until the override expires or is removed."""
    now = timezone.now()
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why the score is set."), code="required")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at", _("The end must lie in the future."))
    lock_row(User.objects.all(), pk=account.pk)
    before = _in_force(account)
    if before is not None:
        _end(before, actor, now)
    override = RiskOverride(
        account=account,
        score=score,
        reason=reason.strip(),
        expires_at=expires_at,
        created_by=actor,
        created_at=now,
    )
    override.full_clean()
    override.save()
    audit.record(
        "riskops.score.overridden",
        actor=actor,
        target=account,
        before={"override": before.score if before else None},
        after={"override": score, "expires_at": expires_at},
        reason=override.reason,
    )
    return calculate_score(account=account, cause=Cause.OVERRIDE, at=now, noted_for=actor)


@decides(
    "riskops.remove_override", permission="riskops.override_riskscore", concerns=concerned.account
)
@transaction.atomic
def remove_override(*, actor: User | None, account: User, reason: str = "") -> RiskScore:
    """Ends the override in force, so that the computed score counts again."""
    now = timezone.now()
    lock_row(User.objects.all(), pk=account.pk)
    override = _in_force(account)
    if override is None:
        raise NoOverrideInForce
    _end(override, actor, now)
    audit.record(
        "riskops.score.override_removed",
        actor=actor,
        target=account,
        before={"override": override.score},
        reason=reason,
    )
    return calculate_score(account=account, cause=Cause.OVERRIDE, at=now, noted_for=actor)


def _end(override: RiskOverride, actor: User | None, now: datetime) -> None:
    override.ended_at = now
    override.ended_by = actor
    override.save(update_fields=["ended_at", "ended_by"])
