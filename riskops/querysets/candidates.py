"""The accounts an anomaly rule may strike at all, told from what is counted already.

A rule that asks for ten failed logins within minutes cannot strike an account that never had ten.
Each bound lets through every account its detector could strike, and costs a scan of counters or
one aggregate instead of a look at each event. Windows and their rules are in `anomaly_windows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC

import numpy as np
from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Abs, TruncDate

from riskops.anomaly_windows import Ints, Parameters
from riskops.login_risk import least_logins
from riskops.models import AccountCountry, AccountEvent, AccountFacts, IdentifierKind, Sighting
from riskops.querysets import log

DAY_MINUTES = 24 * 60
READ_AT_ONCE = 10_000

Bound = Callable[[Parameters], list[QuerySet]]


def may_be_struck(
    rules: Iterable[tuple[str, Parameters]], share: float
) -> tuple[Ints, Ints] | None:
    """Accounts (ascending) that one of these detectors may strike, and how many events each has.

    None when these are more than that share of all events: then reading the log from end to end
    is cheaper than account by account.
    """
    bounds = [rows for detector, given in rules for rows in BOUNDS[detector](given)]
    if not bounds:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    limit = share * (AccountFacts.objects.aggregate(total=Sum("events"))["total"] or 0)
    chosen = bounds[0].union(*bounds[1:]) if len(bounds) > 1 else bounds[0]
    rows = AccountFacts.objects.filter(pk__in=chosen).order_by("pk").values_list("pk", "events")
    accounts: list[int] = []
    events: list[int] = []
    total = 0
    for account, number in rows.iterator(READ_AT_ONCE):
        total += number
        if total > limit:
            return None
        accounts.append(account)
        events.append(number)
    return np.array(accounts, dtype=np.int64), np.array(events, dtype=np.int64)


def _often(*columns: str, name: str = "count", more: int = 0) -> Bound:
    """At least so many events of some kinds, ever."""

    def bound(parameters: Parameters) -> list[QuerySet]:
        total = sum((F(column) for column in columns[1:]), F(columns[0]))
        rows = AccountFacts.objects.annotate(total=total)
        return [rows.filter(total__gte=parameters[name] + more).values("account_id")]

    return bound


def _money() -> QuerySet:
    events = AccountEvent.objects.filter(kind__in=log.TRANSACTIONS, amount__isnull=False)
    return events.exclude(currency="").annotate(size=Abs("amount")).order_by()


def _total(parameters: Parameters) -> list[QuerySet]:
    # A window that reaches the amount has a day with its share of it, of the days it touches.
    days = -(-parameters["minutes"] // DAY_MINUTES) + 1
    return _rich_day(-(-parameters["amount"] // days))


def _rich_day(amount: int) -> list[QuerySet]:
    by_day = _money().annotate(day=TruncDate("occurred_at", tzinfo=UTC))
    totals = by_day.values("account_id", "currency", "day").annotate(total=Sum("size"))
    return [totals.filter(total__gte=amount).values("account_id")]


def _structuring(parameters: Parameters) -> list[QuerySet]:
    least = -(-parameters["threshold"] * parameters["percent"] // 100)
    near = _money().filter(size__gte=least, size__lt=parameters["threshold"])
    numbers = near.values("account_id", "currency").annotate(number=Count("pk"))
    return [numbers.filter(number__gte=parameters["count"]).values("account_id")]


def _kinds_of_place(least: int) -> QuerySet:
    """Accounts that signed in from so many countries."""
    numbers = AccountCountry.objects.order_by().values("account_id").annotate(number=Count("pk"))
    return numbers.filter(number__gte=least).values("account_id")


def _seen_with(kind: IdentifierKind, least: int) -> QuerySet:
    sightings = Sighting.objects.filter(identifier__kind=kind).order_by()
    numbers = sightings.values("account_id").annotate(number=Count("pk"))
    return numbers.filter(number__gte=least).values("account_id")


def _travel(parameters: Parameters) -> list[QuerySet]:
    places = [_kinds_of_place(2)]
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
    "transaction_total": _total,
    "structuring": _structuring,
    # The login that strikes comes on top of those before it.
    "unusual_hour": _often("logins", name="logins", more=1),
    "new_country": lambda parameters: [_kinds_of_place(2)],
    "many_devices": lambda parameters: [_seen_with(IdentifierKind.DEVICE, parameters["count"])],
    "far_sessions": _travel,
    "impossible_travel": _travel,
    "posting_burst": _often("posts"),
    "repeated_content": _repeated,
    "follow_burst": _often("follows"),
    "failed_login_burst": _often("failed_logins"),
    "volume_outlier": lambda parameters: _rich_day(parameters["amount"]),
    "unusual_login": _unusual_login,
}
