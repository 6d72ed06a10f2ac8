"""Writes what rules found: every hit once, one open anomaly a rule and account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from riskops import bulk
from riskops.announcements import announce_anomalies
from riskops.anomalies.windows import Hit
from riskops.bulk import Column
from riskops.ingest.store import mark_pending
from riskops.models import Anomaly, AnomalyExemption, AnomalyHit, AnomalyRule, AutomaticAction
from riskops.scores.facts import from_micros
from systemadmin import audit
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.texts import source
from systemadmin.models import User
from systemadmin.services import raise_alert, suspend_user

ANOMALIES = Anomaly._meta.db_table
HITS = AnomalyHit._meta.db_table
CHUNK = 1_000
MOMENTS = ("from", "to", "known_since")
ALERT_SEVERITY = {"low": "info", "medium": "warning", "high": "warning", "critical": "critical"}


@dataclass(slots=True)
class Written:
    """How many hits were new and how many anomalies they opened."""

    hits: int = 0
    opened: int = 0


def write_hits(rule: AnomalyRule, hits: Sequence[Hit]) -> Written:
    """Record hits that are not recorded yet and open or count up their anomalies."""
    written = Written()
    hits = sorted(hits, key=lambda hit: (hit.account, hit.key))
    for start in range(0, len(hits), CHUNK):
        part = _new_ones(rule, hits[start : start + CHUNK])
        if part:
            with transaction.atomic():
                _write(rule, part, written)
    return written


def _new_ones(rule: AnomalyRule, hits: Sequence[Hit]) -> list[Hit]:
    accounts = {hit.account for hit in hits}
    exempt = set(
        AnomalyExemption.objects.in_force(timezone.now())
        .filter(rule=rule, account_id__in=accounts)
        .values_list("account_id", flat=True)
    )
    known = set(
        AnomalyHit.objects.filter(rule=rule, account_id__in=accounts).values_list(
            "account_id", "key"
        )
    )
    return [
        hit for hit in hits if hit.account not in exempt and (hit.account, hit.key) not in known
    ]


def _write(rule: AnomalyRule, hits: list[Hit], written: Written) -> None:
    opened = _open(rule, hits)
    anomalies = Anomaly.objects.open().filter(
        rule=rule, account_id__in={hit.account for hit in hits}
    )
    if connection.features.has_select_for_update:
        anomalies = anomalies.order_by("pk").select_for_update()
    rows = {anomaly.account_id: anomaly for anomaly in anomalies}
    # One that was resolved between the two statements is opened again by the next run.
    hits = [hit for hit in hits if hit.account in rows]
    new = set(_insert_hits(rule, hits, rows))
    by_account: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        if (hit.account, hit.key) in new:
            by_account[hit.account].append(hit)
    for account, mine in by_account.items():
        _count_up(rows[account], mine)
    # Opened in vain: another worker had written the same hits.
    Anomaly.objects.filter(pk__in=opened.values(), hits=0).delete()
    fresh = [rows[account] for account in opened if account in by_account]
    written.hits += len(new)
    written.opened += len(fresh)
    if by_account:
        mark_pending(by_account)
        announce_anomalies(fresh, "detected", rule.code)
        _act(rule, fresh)


def _open(rule: AnomalyRule, hits: list[Hit]) -> dict[int, int]:
    """Open an anomaly for every account that has none open; return those opened."""
    now = timezone.now()
    at = {hit.account: from_micros(hit.at) for hit in hits}
    accounts = sorted(at)
    size = len(accounts)
    moments = [at[account] for account in accounts]
    rows = bulk.insert(
        ANOMALIES,
        [
            Column("rule_id", "bigint", [rule.pk] * size),
            Column("account_id", "bigint", accounts),
            Column("status", "text", ["open"] * size),
            Column("severity", "text", [rule.severity] * size),
            Column("hits", "integer", [0] * size),
            Column("first_hit_at", "timestamptz", moments),
            Column("last_hit_at", "timestamptz", moments),
            Column("detected_at", "timestamptz", [now] * size),
            Column("evidence", "jsonb", [{}] * size),
            Column("outcome", "text", [""] * size),
            Column("note", "text", [""] * size),
            Column("version", "integer", [1] * size),
            Column("created_at", "timestamptz", [now] * size),
            Column("updated_at", "timestamptz", [now] * size),
        ],
        # The partial unique index that allows one open anomaly a rule and account.
        conflict="rule_id, account_id) WHERE (status = 'open'",
        order_by="account_id",
        returning="account_id, id",
    )
    return dict(rows)


def _insert_hits(
    rule: AnomalyRule, hits: list[Hit], rows: dict[int, Anomaly]
) -> list[tuple[int, str]]:
    found = bulk.insert(
        HITS,
        [
            Column("anomaly_id", "bigint", [rows[hit.account].pk for hit in hits]),
            Column("rule_id", "bigint", [rule.pk] * len(hits)),
            Column("account_id", "bigint", [hit.account for hit in hits]),
            Column("key", "text", [hit.key for hit in hits]),
            Column("at", "timestamptz", [from_micros(hit.at) for hit in hits]),
            Column("evidence", "jsonb", [readable(hit.evidence) for hit in hits]),
        ],
        conflict="rule_id, account_id, key",
        order_by="account_id, key",
        returning="account_id, key",
    )
    return [(account, key) for account, key in found]


def _count_up(anomaly: Anomaly, hits: list[Hit]) -> None:
    latest = max(hits, key=lambda hit: (hit.at, hit.key))
    at = from_micros(latest.at) or timezone.now()
    earliest = from_micros(min(hit.at for hit in hits)) or at
    if anomaly.hits == 0 or at >= anomaly.last_hit_at:
        anomaly.evidence = readable(latest.evidence)
    anomaly.hits += len(hits)
    anomaly.first_hit_at = min(anomaly.first_hit_at, earliest)
    anomaly.last_hit_at = max(anomaly.last_hit_at, at)
    anomaly.bump()
    anomaly.save()


def readable(evidence: dict[str, Any]) -> dict[str, Any]:
    """Return evidence as it is stored and shown: moments written out."""
    shown = dict(evidence)
    for name in MOMENTS:
        if isinstance(shown.get(name), int):
            at = from_micros(shown[name])
            shown[name] = at.isoformat() if at else None
    return shown


def _act(rule: AnomalyRule, fresh: list[Anomaly]) -> None:
    """Do what the rule says about accounts whose anomaly was just opened."""
    if rule.action == AutomaticAction.NONE or not fresh:
        return
    people = User.objects.in_bulk([anomaly.account_id for anomaly in fresh])
    for anomaly in fresh:
        user = people[anomaly.account_id]
        if rule.action == AutomaticAction.ALERT:
            raise_alert(
                rule=f"riskops.anomaly.{rule.code}",
                severity=ALERT_SEVERITY[rule.severity],
                summary=gettext_noop("%(rule_text)s: account %(account)s"),
                facts={"rule_text": source(rule.get_detector_display()), "account": user.pk},
                key=f"account:{user.pk}",
            )
        elif not user.is_staff and not user.is_superuser:
            _suspend(rule, user)
        audit.record(
            "riskops.anomaly.acted",
            target=anomaly,
            after={"action": rule.action},
            metadata={"rule": rule.code, "account": user.pk},
        )


def _suspend(rule: AnomalyRule, user: User) -> None:
    try:
        suspend_user(
            actor=None,
            user=user,
            reason=_("Automatic: %(rule)s.") % {"rule": rule.get_detector_display()},
        )
    except DomainError:
        return  # suspended already
