"""What staff do with anomalies and their rules: resolve, exempt, set up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from riskops import concerned
from riskops.announcements import announce_anomalies
from riskops.anomalies.rules import BY_CODE, DETECTORS
from riskops.anomalies.weakening import weaker_parts
from riskops.errors import (
    AnomalyAlreadyResolved,
    AnomalyNotResolved,
    AnomalyOpenAgain,
    EndsInThePast,
    RuleInUse,
)
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
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import AuditEntry, User
from systemadmin.services.duties import decides
from systemadmin.services.second_person import Attempt, Subject, needs_second_person

EXEMPTED: Final = "riskops.anomaly.exempted"
LONGEST_EXEMPTION: Final = timedelta(days=366)
# Between the moment that somebody typed and the one in which it is stored.
SLACK: Final = timedelta(minutes=5)
EDITABLE = ("code", "detector", "parameters", "severity", "points", "action", "is_enabled")


def ship_default_rules(**_kwargs: Any) -> None:
    """Fill an empty table with the shipped rules; what staff changed since stays."""
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
    """Close an anomaly with what it turned out to be; raises `AnomalyAlreadyResolved`."""
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
    announce_anomalies([row], "resolved", row.rule.code)
    mark_pending([row.account_id])
    return row


@decides(
    "riskops.reopen_anomaly",
    permission="riskops.resolve_anomaly",
    concerns=concerned.account_of_anomaly,
)
@transaction.atomic
def reopen_anomaly(
    *, actor: User, anomaly: Anomaly, note: str = "", expected_version: int | None = None
) -> Anomaly:
    """Take an outcome back; raises `AnomalyNotResolved` and `AnomalyOpenAgain`."""
    row = lock_row(Anomaly.objects.all(), expected_version=expected_version, pk=anomaly.pk)
    if row.status != AnomalyStatus.RESOLVED:
        raise AnomalyNotResolved
    before = {"status": row.status, "outcome": row.outcome}
    row.status, row.outcome, row.note = AnomalyStatus.OPEN, "", ""
    row.resolved_by, row.resolved_at = None, None
    row.bump()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise AnomalyOpenAgain from error
    audit.record(
        "riskops.anomaly.reopened",
        actor=actor,
        target=row,
        before=before,
        after={"status": row.status},
        reason=note,
    )
    mark_pending([row.account_id])
    return row


# -- rules ---------------------------------------------------------------------


@transaction.atomic
def create_rule(*, actor: User, values: Mapping[str, Any]) -> AnomalyRule:
    """Add a rule: a detector with parameters of its own."""
    rule = AnomalyRule()
    _apply(rule, values)
    rule.save()
    audit.record("riskops.anomaly_rule.created", actor=actor, target=rule, after=_shown(rule))
    return rule


def _was_on(*, rule: AnomalyRule, **_rest: Any) -> bool:
    return AnomalyRule.objects.filter(pk=rule.pk, is_enabled=True).exists()


def _as_stored(*, rule: AnomalyRule, **_rest: Any) -> dict[str, Any]:
    """Return the values of a rule before a change; the row that came in may be changed already."""
    stored = AnomalyRule.objects.filter(pk=rule.pk).first()
    return _shown(stored) if stored else {"is_enabled": False}


def _shown_rule(
    *, rule: AnomalyRule, values: Mapping[str, Any] | None = None, **_rest: Any
) -> list[tuple[Any, Any]]:
    now = _shown(rule)
    return [
        (gettext_lazy("rule"), f"{rule.code} ({rule.detector})"),
        (gettext_lazy("severity"), rule.get_severity_display()),
        (gettext_lazy("anomalies found so far"), rule.anomalies.count()),
        *(
            line
            for name, wanted in (values or {}).items()
            if name in now and now[name] != wanted
            for line in _change(rule, name, wanted)
        ),
    ]


def _change(rule: AnomalyRule, name: str, wanted: Any) -> list[tuple[Any, Any]]:
    """Return lines that say what a field would become; of parameters one for each that changes."""
    detector = BY_CODE.get(rule.detector)
    is_read = detector is not None and isinstance(wanted, Mapping) and not detector.faults(wanted)
    if name != "parameters" or detector is None or not is_read:
        return [(name, f"{getattr(rule, name)} → {wanted}")]
    old, new = detector.texts(rule.parameters), detector.texts(wanted)
    return [(title, f"{old[title]} → {text}") for title, text in new.items() if old[title] != text]


@needs_second_person(
    "riskops.switch_off_anomaly_rule",
    kind="switch_off",
    title=gettext_lazy("Weaken an anomaly rule, or switch it off"),
    permission="riskops.change_anomalyrule",
    rule=gettext_lazy(
        "when a rule that is on is switched off, may find less, counts fewer points, or has a "
        "lower severity or a lesser action"
    ),
    needs=lambda attempt: bool(weaker_parts(attempt.before, _shown(attempt.result))),
    subject=lambda attempt: attempt.arguments["rule"],
    before=_as_stored,
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
    """Change a rule; open anomalies keep the severity they were found with."""
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
    title=gettext_lazy("Delete an anomaly rule"),
    permission="riskops.delete_anomalyrule",
    rule=gettext_lazy("when the rule is on"),
    needs=lambda attempt: attempt.before,
    subject=lambda attempt: attempt.arguments["rule"],
    before=_was_on,
    shown=_shown_rule,
)
@transaction.atomic
def delete_rule(*, actor: User, rule: AnomalyRule, expected_version: int | None = None) -> None:
    """Delete a rule that never found anything; raises `RuleInUse`."""
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


def _is_long(attempt: Attempt) -> bool:
    """Return whether a rule would leave an account alone for long, by one person or in a row."""
    allowed = timedelta(days=setting("riskops.exemption_days"))
    exemption: AnomalyExemption = attempt.result
    now = timezone.now()
    if exemption.expires_at - now > allowed + SLACK:
        return True
    # By its id, for its code may have changed since; older rows say the code alone.
    is_of_rule = Q(metadata__rule_id=exemption.rule_id) | Q(
        metadata__rule_id__isnull=True, after__rule=exemption.rule.code
    )
    earlier = AuditEntry.objects.filter(
        is_of_rule,
        action=EXEMPTED,
        target_type="systemadmin.user",
        target_id=str(exemption.account_id),
        occurred_at__gt=now - 2 * allowed,
    )
    # The row of this very exemption is the newest.
    return earlier.count() > 1


def _shown_exemption(
    *, rule: AnomalyRule, account: User, expires_at: datetime | None = None, **_rest: Any
) -> list[tuple[Any, Any]]:
    days = setting("riskops.exemption_days")
    end = f"{expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else _("after %s days") % days
    return [
        (gettext_lazy("rule"), f"{rule.code} ({rule.detector})"),
        (gettext_lazy("account"), account.get_username()),
        (gettext_lazy("until"), end),
        (gettext_lazy("anomalies of the account"), rule.anomalies.filter(account=account).count()),
    ]


def _end_of_exemption(expires_at: datetime | None) -> datetime:
    """Return when an exemption ends; refuse an end in the past or after more than a year."""
    now = timezone.now()
    if expires_at is None:
        return now + timedelta(days=setting("riskops.exemption_days"))
    if expires_at <= now:
        raise EndsInThePast
    if expires_at > now + LONGEST_EXEMPTION:
        raise InvalidInput("expires_at", _("An exemption lasts a year at most."))
    return expires_at


def _delete_expired_exemption(rule: AnomalyRule, account: User) -> None:
    """Make room for the next exemption of an account from a rule."""
    earlier = AnomalyExemption.objects.filter(rule=rule, account=account)
    earlier.filter(expires_at__lte=timezone.now()).delete()


@decides(
    "riskops.exempt_account", permission="riskops.add_anomalyexemption", concerns=concerned.account
)
@needs_second_person(
    "riskops.exempt_account",
    kind="switch_off",
    title=gettext_lazy("Exempt an account from a rule for long"),
    permission="riskops.add_anomalyexemption",
    rule=gettext_lazy("for more than `riskops.exemption_days`, or again within twice that time"),
    needs=_is_long,
    subject=lambda attempt: Subject(
        type="exemption",
        id=f"{attempt.arguments['rule'].pk}:{attempt.arguments['account'].pk}",
        name=f"{attempt.arguments['rule']} · {attempt.arguments['account']}",
    ),
    state=lambda *, rule, account, **_rest: [rule.pk, account.pk],
    shown=_shown_exemption,
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
    """Exempt an account from a rule, for a reason and a while: a year at most.

    Without an end it is `riskops.exemption_days`.
    """
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why the account is exempt."), code="required")
    expires_at = _end_of_exemption(expires_at)
    _delete_expired_exemption(rule, account)
    exemption = AnomalyExemption(
        rule=rule, account=account, reason=reason.strip(), expires_at=expires_at, created_by=actor
    )
    exemption.full_clean(exclude=["created_by"])
    exemption.save()
    audit.record(
        EXEMPTED,
        actor=actor,
        target=account,
        after={"rule": rule.code, "expires_at": expires_at},
        reason=reason,
        metadata={"rule_id": rule.pk},
    )
    return exemption


@decides(
    "riskops.end_exemption", permission="riskops.add_anomalyexemption", concerns=concerned.account
)
@transaction.atomic
def end_exemption(*, actor: User, rule: AnomalyRule, account: User) -> None:
    """Take an exemption back."""
    deleted, _rows = AnomalyExemption.objects.filter(rule=rule, account=account).delete()
    if not deleted:
        raise NotFound
    audit.record(
        "riskops.anomaly.exemption_ended",
        actor=actor,
        target=account,
        before={"rule": rule.code},
    )
