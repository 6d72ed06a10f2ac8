"""Scores set by staff: a reason, an end, and the computed score beside it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from riskops import concerned
from riskops.errors import NoOverrideInForce
from riskops.models import RiskOverride, RiskScore
from riskops.models.scores import Cause
from riskops.scores.calculate import calculate_score
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides
from systemadmin.services.second_person import Attempt, needs_second_person

# Nothing that is computed later is higher.
HIGHEST: Final = 100


def _in_force(account: User) -> RiskOverride | None:
    return RiskOverride.objects.filter(account=account, ended_at__isnull=True).first()


def _shown_score(*, account: User, **_rest: Any) -> int | None:
    return RiskScore.objects.filter(account=account).values_list("standing", flat=True).first()


def _caps_for_long(attempt: Attempt) -> bool:
    """Return whether a score is set below the highest one, for long or without an end.

    What is computed now does not matter: the override hides whatever is computed later. Times that
    follow each other are one: the first of them counts as the beginning.
    """
    if attempt.arguments["score"] >= HIGHEST:
        return False
    end = attempt.arguments.get("expires_at")
    if end is None:
        return True
    allowed = timedelta(days=setting("riskops.exemption_days"), minutes=5)
    now = timezone.now()
    earlier = RiskOverride.objects.filter(
        account=attempt.arguments["account"],
        score__lt=HIGHEST,
        created_at__gt=now - 2 * allowed,
    )
    began = earlier.aggregate(first=Min("created_at"))["first"] or now
    return end - began > allowed


def _shown_override(
    *, account: User, score: int, expires_at: datetime | None = None, **_rest: Any
) -> list[tuple[Any, Any]]:
    return [
        (gettext_lazy("account"), account.get_username()),
        (gettext_lazy("computed score"), _shown_score(account=account)),
        (gettext_lazy("would be set to"), score),
        (gettext_lazy("until"), expires_at or gettext_lazy("without an end")),
    ]


@decides(
    "riskops.override_score", permission="riskops.override_riskscore", concerns=concerned.account
)
@needs_second_person(
    "riskops.override_score",
    kind="switch_off",
    title=gettext_lazy("Set a score for long"),
    permission="riskops.override_riskscore",
    rule=gettext_lazy(
        "below 100, without an end or for more than `riskops.exemption_days`, renewals included"
    ),
    needs=_caps_for_long,
    subject=lambda attempt: attempt.arguments["account"],
    # The computed score moves by itself; the account stays the same.
    state=lambda *, account, **_rest: [account.pk],
    shown=_shown_override,
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
    """Set the score of an account until the override expires or is removed."""
    now = timezone.now()
    _check_override(reason, expires_at, now)
    lock_row(User.objects.all(), pk=account.pk)
    before = _in_force(account)
    if before is not None:
        _end(before, actor, now)
    override = RiskOverride(account=account, score=score, expires_at=expires_at)
    override.reason, override.created_by, override.created_at = reason.strip(), actor, now
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


def _check_override(reason: str, expires_at: datetime | None, now: datetime) -> None:
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why the score is set."), code="required")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at", _("The end must lie in the future."))


@decides(
    "riskops.remove_override", permission="riskops.override_riskscore", concerns=concerned.account
)
@transaction.atomic
def remove_override(*, actor: User | None, account: User, reason: str = "") -> RiskScore:
    """End the override in force, so that the computed score counts again."""
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
