"""What the page of an account shows, each part in a fixed number of queries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from riskops.amounts import amount_text
from riskops.links.related import ShownPair, show_pairs
from riskops.masking import shown
from riskops.models import (
    AccountCluster,
    AccountEvent,
    AccountNote,
    Anomaly,
    EventKind,
    RelatedAccount,
    RiskOutcome,
    RiskScore,
    RiskScoreHistory,
    Sighting,
)
from riskops.models.events import KIND_BY_CODE
from riskops.scores.outcomes import outcomes_of
from systemadmin.models import User

ROWS = 15
EVENTS_SHOWN = 50


IDENTIFIERS = ("ip", "device", "wallet", "counterparty_wallet")


@dataclass(frozen=True, slots=True)
class ShownIdentifier:
    """An identifier of an account, masked where it must be."""

    pk: int
    kind: str
    value: str
    accounts: int
    first_seen: datetime
    last_seen: datetime
    hits: int
    remark: str


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """A line of an account's timeline."""

    pk: int
    occurred_at: datetime
    kind: str
    source: str
    ip: str
    device: str
    wallet: str
    counterparty: str
    amount: int | None
    currency: str
    country: str
    data: str

    @property
    def money(self) -> str:
        """The amount as people read it; empty without one."""
        return "" if self.amount is None else amount_text(self.amount, self.currency)


def score_of(account: User) -> RiskScore | None:
    """Return the score with its ruleset and override."""
    return RiskScore.objects.with_details().filter(pk=account.pk).first()


def verdict_of(account: User) -> RiskOutcome | None:
    """Return what the account was found to be at last, with who said so."""
    return outcomes_of(account.pk).select_related("actor").first()


def history_of(account: User) -> QuerySet:
    """Return the latest changes of the score."""
    return RiskScoreHistory.objects.of_account(account.pk)[:ROWS]


def links_of(account: User, *, unmasked: bool) -> list[ShownPair]:
    """Return the strongest links with their evidence."""
    pairs = RelatedAccount.objects.of_account(account.pk)
    strongest = list(pairs.order_by("-strength", "id")[:ROWS])
    return show_pairs(strongest, account_id=account.pk, unmasked=unmasked)


def cluster_of(account: User) -> AccountCluster | None:
    """Return the cluster it is in."""
    return AccountCluster.objects.of_account(account.pk).first()


def anomalies_of(account: User) -> QuerySet:
    """Return the latest anomalies, open ones first."""
    found = Anomaly.objects.filter(account=account).shown_with()
    return found.order_by("status", "-last_hit_at", "-id")[:ROWS]


def notes_of(account: User) -> QuerySet:
    """Return what staff wrote, newest first."""
    return AccountNote.objects.filter(account=account).select_related("author").order_by("-id")[:50]


def identifiers_of(account: User, *, unmasked: bool) -> list[ShownIdentifier]:
    """Return what the account was last seen with."""
    found = []
    for sighting in Sighting.objects.of_account(account.pk)[: ROWS * 2]:
        one = sighting.identifier
        found.append(
            ShownIdentifier(
                pk=one.pk,
                kind=str(one.get_kind_display()),
                value=shown(one.kind, one.value, one.pk, unmasked=unmasked),
                accounts=one.accounts,
                first_seen=sighting.first_seen,
                last_seen=sighting.last_seen,
                hits=sighting.hits,
                remark=one.shared_reason or str(one.get_listing_display() if one.listing else ""),
            )
        )
    return found


def events_of(account: User, *, kind: str = "", before: tuple[datetime, int] | None = None) -> Any:
    """Return the timeline, newest first; `before` names the last line of the page before."""
    events = AccountEvent.objects.filter(account=account)
    if kind in KIND_BY_CODE:
        events = events.filter(kind=KIND_BY_CODE[kind])
    if before is not None:
        moment, pk = before
        events = events.filter(occurred_at__lte=moment).exclude(occurred_at=moment, pk__gte=pk)
    return events.select_related(*IDENTIFIERS).order_by("-occurred_at", "-id")


def event_of(pk: int | None) -> AccountEvent | None:
    """Return an event of the log with its identifiers; None when the log no longer keeps it."""
    return AccountEvent.objects.filter(pk=pk).select_related(*IDENTIFIERS).first() if pk else None


def show_event(event: AccountEvent, *, unmasked: bool) -> ShownEvent:
    """One line, masked where it must be; what a source added is personal until shown otherwise."""

    def named(identifier: Any) -> str:
        if identifier is None:
            return ""
        return shown(identifier.kind, identifier.value, identifier.pk, unmasked=unmasked)

    data = json.dumps(event.data, ensure_ascii=False) if event.data and unmasked else ""
    return ShownEvent(
        pk=event.pk,
        occurred_at=event.occurred_at,
        kind=str(EventKind(event.kind).label),
        source=event.source,
        ip=named(event.ip),
        device=named(event.device),
        wallet=named(event.wallet),
        counterparty=named(event.counterparty_wallet),
        amount=event.amount,
        currency=event.currency,
        country=event.country,
        data=data,
    )
