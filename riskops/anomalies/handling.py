"""What staff do with anomalies and their rules: resolve, exempt, set up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from riskops import concerned
from riskops.anomalies.rules import BY_CODE, DETECTORS
from riskops.errors import AnomalyAlreadyResolved, EndsInThePast, RuleInUse
from riskops.ingest.store import mark_pending
from riskops.models import (
    Anomaly,
    AnomalyExemption,
    AnomalyRule,
    AnomalyStatus,
    AutomaticAction,
    Outcome,
)
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides
from systemadmin.services.second_person import needs_second_person

EDITABLE = ("code", "detector", "parameters", "severity", "points", "action", "is_enabled")


def ship_default_rules(**_kwargs: Any) -> None:
    """Fills an empty table with the shipped rules; what staff changed since stays."""
    if AnomalyRule.objects.exists():
        return
    AnomalyRule.objects.bulk_create(
        [
            AnomalyRule(
                code=detector.code,
                detector=detector.code,
                parameters=detector.defaults(),
                severity=detector.severity,
                points=detector.shipped_points,
                action=AutomaticAction.NONE,
            )
            for detector in DETECTORS
        ],
        ignore_conflicts=True,
    )


@decides(
    "riskops.resolve_anomaly",
    permission="riskops.resolve_anomaly",
    concerns=concerned.account_of_anomaly,
)
@transaction.atomic
def resolve_anomaly(
    *,
    actor: User,
    anomaly: Anomaly,
    outcome: str,
    note: str = "",
    expected_version: int | None = None,
) -> Anomaly:
    """Closes an anomaly with what it turned out to be; raises `AnomalyAlreadyResolved`."""
    row = lock_row(Anomaly.objects.all(), expected_version=expected_version, pk=anomaly.pk)
    if row.status != AnomalyStatus.OPEN:
        raise AnomalyAlreadyResolved
    row.status, row.outcome, row.note = AnomalyStatus.RESOLVED, outcome, note.strip()
    row.resolved_by, row.resolved_at = actor, timezone.now()
    row.bump()
    row.full_clean(exclude=["rule", "account", "resolved_by"])
    row.save()
    audit.record(
        "riskops.anomaly.resolved",
        actor=actor,
        target=row,
        before={"status": AnomalyStatus.OPEN.value},
        after={"status": row.status, "outcome": outcome},
        reason=row.note,
    )
    mark_pending([row.account_id])
    return row


# -- rules ---------------------------------------------------------------------


@transaction.atomic
def create_rule(*, actor: User, values: Mapping[str, Any]) -> AnomalyRule:
    """Adds a rule: a detector with parameters of its own."""
    rule = AnomalyRule()
    _apply(rule, values)
    rule.save()
    audit.record("riskops.anomaly_rule.created", actor=actor, target=rule, after=_shown(rule))
    return rule


def _was_on(*, rule: AnomalyRule, **_rest: Any) -> bool:
    return AnomalyRule.objects.filter(pk=rule.pk, is_enabled=True).exists()


def _shown_rule(*, rule: AnomalyRule, **_rest: Any) -> list[tuple[Any, Any]]:
    return [
        (_lazy("rule"), f"{rule.code} ({rule.detector})"),
        (_lazy("severity"), rule.get_severity_display()),
        (_lazy("anomalies found so far"), rule.anomalies.count()),
    ]


@needs_second_person(
    "riskops.switch_off_anomaly_rule",
    kind="switch_off",
    title=_lazy("Switch an anomaly rule off"),
    permission="riskops.change_anomalyrule",
    rule=_lazy("when a rule that is on is switched off"),
    needs=lambda attempt: attempt.before and not attempt.result.is_enabled,
    subject=lambda attempt: attempt.arguments["rule"],
    before=_was_on,
    shown=_shown_rule,
)
@transaction.atomic
def change_rule(
    *,
    actor: User,
    rule: AnomalyRule,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> AnomalyRule:
    """Changes a rule; open anomalies keep the severity they were found with."""
    row = lock_row(AnomalyRule.objects.all(), expected_version=expected_version, pk=rule.pk)
    before = _shown(row)
    row.bump()
    _apply(row, values)
    row.save()
    if before["points"] != row.points:
        scored = row.anomalies.filter(Q(status=AnomalyStatus.OPEN) | Q(outcome=Outcome.CONFIRMED))
        mark_pending(set(scored.values_list("account_id", flat=True)))
    audit.record(
        "riskops.anomaly_rule.changed", actor=actor, target=row, before=before, after=_shown(row)
    )
    return row


@needs_second_person(
    "riskops.delete_anomaly_rule",
    kind="switch_off",
    title=_lazy("Delete an anomaly rule"),
    permission="riskops.delete_anomalyrule",
    rule=_lazy("when the rule is on"),
    needs=lambda attempt: attempt.before,
    subject=lambda attempt: attempt.arguments["rule"],
    before=_was_on,
    shown=_shown_rule,
)
@transaction.atomic
def delete_rule(*, actor: User, rule: AnomalyRule, expected_version: int | None = None) -> None:
    """Deletes a rule that never found anything; raises `RuleInUse`."""
    row = lock_row(AnomalyRule.objects.all(), expected_version=expected_version, pk=rule.pk)
    if row.anomalies.exists():
        raise RuleInUse
    audit.record("riskops.anomaly_rule.deleted", actor=actor, target=row, before=_shown(row))
    row.delete()


def _apply(rule: AnomalyRule, values: Mapping[str, Any]) -> None:
    for name in EDITABLE:
        if name in values:
            setattr(rule, name, values[name])
    detector = BY_CODE.get(rule.detector)
    if detector is None:
        raise InvalidInput("detector", _("Names no known detector."), code="invalid_choice")
    if not isinstance(rule.parameters, Mapping):
        raise InvalidInput("parameters", _("Must be an object."))
    faults = detector.faults(rule.parameters)
    if faults:
        raise InvalidInput({f"parameters.{name}": text for name, text in faults.items()})
    rule.parameters = detector.read(rule.parameters)
    rule.full_clean()


def _shown(rule: AnomalyRule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in EDITABLE}


# -- exemptions ----------------------------------------------------------------


@decides(
    "riskops.exempt_account", permission="riskops.add_anomalyexemption", concerns=concerned.account
)
@transaction.atomic
def exempt_account(
    *,
    actor: User,
    rule: AnomalyRule,
    account: User,
    reason: str,
    expires_at: datetime | None = None,
) -> AnomalyExemption:
    """Has a rule leave an account alone, for a reason and usually for a while."""
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why the account is exempt."), code="required")
    if expires_at is not None and expires_at <= timezone.now():
        raise EndsInThePast
    # One that has run out makes room for the next.
    AnomalyExemption.objects.filter(
        rule=rule, account=account, expires_at__lte=timezone.now()
    ).delete()
    exemption = AnomalyExemption(
        rule=rule, account=account, reason=reason.strip(), expires_at=expires_at, created_by=actor
    )
    exemption.full_clean(exclude=["created_by"])
    exemption.save()
    audit.record(
        "riskops.anomaly.exempted",
        actor=actor,
        target=account,
        after={"rule": rule.code, "expires_at": expires_at},
        reason=reason,
    )
    return exemption


@decides(
    "riskops.end_exemption", permission="riskops.add_anomalyexemption", concerns=concerned.account
)
@transaction.atomic
def end_exemption(*, actor: User, rule: AnomalyRule, account: User) -> None:
    """Takes an exemption back."""
    deleted, _rows = AnomalyExemption.objects.filter(rule=rule, account=account).delete()
    if not deleted:
        raise NotFound
    audit.record(
        "riskops.anomaly.exemption_ended",
        actor=actor,
        target=account,
        before={"rule": rule.code},
    )
