"""The accounts an anomaly rule may strike at all, found from what is counted already.

A rule that asks for ten failed logins within minutes cannot strike an account that never had ten.
Each bound lets through every account its detector could strike, and costs a scan of counters or
one aggregate instead of a look at each event. What bounds the rules about amounts is the day's
total (`history.day_bounds`), which needs the totals of all days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum

from riskops.account_sets import Accounts
from riskops.anomalies import log
from riskops.anomalies.login_risk import least_logins
from riskops.anomalies.windows import Ints, Parameters
from riskops.columns import Read, fetch
from riskops.models import AccountCountry, AccountEvent, AccountFacts, IdentifierKind, Sighting

Bound = Callable[[Parameters], list[QuerySet]]


def may_be_struck(rules: Sequence[tuple[str, Parameters]], rich: Sequence[Ints]) -> list[Ints]:
    """For each rule (its detector and parameters) the accounts it may strike, ascending.

    `rich` holds, for each rule, those that the totals of all days let through besides.
    """
    found = []
    for (detector, parameters), days in zip(rules, rich, strict=True):
        parts = [_ids(rows) for rows in BOUNDS[detector](parameters)]
        found.append(np.unique(np.concatenate([days, *parts])))
    return found


def events_of(accounts: Ints) -> Ints:
    """Return how many events each of these accounts (ascending) has."""
    where, params = Accounts.listed(accounts.tolist()).sql("f.account_id")
    columns = (Read("account", "f.account_id"), Read("events", "f.events"))
    known = fetch(columns, f"FROM {log.FACTS} AS f WHERE {where} ORDER BY 1", params)
    events = np.zeros(len(accounts), dtype=np.int64)
    events[np.searchsorted(accounts, known["account"])] = known["events"]
    return events


def events_known() -> int:
    """Return how many events there are of all accounts."""
    return int(AccountFacts.objects.aggregate(total=Sum("events"))["total"] or 0)


def _ids(rows: QuerySet[Any]) -> Ints:
    sql, params = rows.values("account_id").query.sql_with_params()
    tail = f"FROM ({sql}) AS bound"
    return fetch((Read("account", "bound.account_id"),), tail, params)["account"]


def _often(*columns: str, name: str = "count", more: int = 0) -> Bound:
    """At least so many events of some kinds, ever."""

    def bound(parameters: Parameters) -> list[QuerySet]:
        total = sum((F(column) for column in columns[1:]), F(columns[0]))
        rows = AccountFacts.objects.annotate(total=total)
        return [rows.filter(total__gte=parameters[name] + more).values("account_id")]

    return bound


def _none(parameters: Parameters) -> list[QuerySet]:
    """Bounded by the day's total alone."""
    return []


def _countries(least: int) -> QuerySet:
    """Return accounts that signed in from so many countries."""
    numbers = AccountCountry.objects.order_by().values("account_id").annotate(number=Count("pk"))
    return numbers.filter(number__gte=least).values("account_id")


def _seen_with(kind: IdentifierKind, least: int) -> QuerySet:
    sightings = Sighting.objects.filter(identifier__kind=kind).order_by()
    numbers = sightings.values("account_id").annotate(number=Count("pk"))
    return numbers.filter(number__gte=least).values("account_id")


def _travel(parameters: Parameters) -> list[QuerySet]:
    places = [_countries(2)]
    if settings.GEOIP_PATH:
        places.append(_seen_with(IdentifierKind.IP, 2))
    return places


def _repeated(parameters: Parameters) -> list[QuerySet]:
    told = AccountEvent.objects.filter(kind__in=log.CONTENT, data__isnull=False).order_by()
    numbers = told.values("account_id").annotate(number=Count("pk"))
    return [numbers.filter(number__gte=parameters["count"]).values("account_id")]


def _unusual_login(parameters: Parameters) -> list[QuerySet]:
    facts = AccountFacts.objects.filter(logins__gt=parameters["logins"])
    somewhere = Q(pk__in=AccountCountry.objects.values("account_id"))
    least = {told: least_logins(parameters["bits"], told) for told in (2, 3)}
    return [
        facts.filter(logins__gte=least[2]).values("account_id"),
        # An address, a device and a country say more than the first two alone.
        facts.filter(somewhere, logins__gte=least[3]).values("account_id"),
    ]


BOUNDS: Mapping[str, Bound] = {
    "transaction_velocity": _often("transfers", "purchases"),
    "transaction_total": _none,
    "structuring": _none,
    # The login that strikes comes on top of those before it.
    "unusual_hour": _often("logins", name="logins", more=1),
    "new_country": lambda parameters: [_countries(2)],
    "many_devices": lambda parameters: [_seen_with(IdentifierKind.DEVICE, parameters["count"])],
    "far_sessions": _travel,
    "impossible_travel": _travel,
    "posting_burst": _often("posts"),
    "repeated_content": _repeated,
    "follow_burst": _often("follows"),
    "failed_login_burst": _often("failed_logins"),
    "volume_outlier": _none,
    "unusual_login": _unusual_login,
}
