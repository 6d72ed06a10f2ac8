"""Days of accounts as examples to learn from: what each looked like, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.columns import Read, fetch
from riskops.models.event_outcomes import EventOutcome
from riskops.models.events import AccountEvent
from riskops.models.facts import AccountFacts
from riskops.scores.learning import Floats, Mask
from riskops.scores.measure_spec import USUAL_DELAY
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import Ruleset
from riskops.scores.scoring import Ints

EVENTS = AccountEvent._meta.db_table
OUTCOMES = EventOutcome._meta.db_table
DAY = timedelta(days=1)
USUAL_DAYS, MOST_DAYS = 28, 92
# Of days without fraud a part is enough.
MOST_EXAMPLES = 200_000
CHUNK = 25_000


@dataclass(frozen=True, slots=True)
class Examples:
    """What each factor counted for an account at some moment, and what it turned out to be.

    A row stands for `weight` like it that were left out.
    """

    account: Ints
    counts: Ints
    fraud: Mask
    weight: Floats

    def only(self, mask: Mask) -> Examples:
        """Return the examples of a mask."""
        return Examples(self.account[mask], self.counts[mask], self.fraud[mask], self.weight[mask])


def read_days(rules: Ruleset, *, as_of: datetime | None, days: int) -> Examples:
    """Return the last days whose outcomes were known at a moment (now unless given).

    An example is a day of an account that did what outcomes are about. Its counts are those at
    the end of that day, by what was known then; it is bad when an event of it was fraud.
    """
    moment = as_of or timezone.now()
    end = _last_day(moment)
    parts = [] if end is None else list(_days(rules, end, moment, days))
    if not parts:
        nobody = np.zeros(0, dtype=np.int64)
        return Examples(
            nobody, np.zeros((0, len(rules.codes)), np.int64), nobody > 0, nobody.astype(np.float64)
        )
    return Examples(
        np.concatenate([part.account for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.fraud for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def _last_day(moment: datetime) -> datetime | None:
    """Return the end of the last day that outcomes are known of; None without an outcome.

    Outcomes come about a week late, so the days of the last week are not judged yet.
    """
    known = EventOutcome.objects.filter(account__isnull=False, known_at__lte=moment)
    latest = known.order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    if latest is None:
        return None
    end = min(latest, moment - timedelta(seconds=USUAL_DELAY))
    return end.replace(hour=0, minute=0, second=0, microsecond=0)


def _kinds_judged(moment: datetime) -> list[int]:
    """Return the kinds of the events that were known to be fraud."""
    found = fetch(
        (Read("kind", "e.kind"),),
        f"FROM {OUTCOMES} AS o JOIN {EVENTS} AS e "
        "ON e.source = o.source AND e.external_id = o.external_id "
        "WHERE o.is_fraud AND o.known_at <= %s GROUP BY e.kind",
        [moment],
    )
    kinds: list[int] = found["kind"].tolist()
    return kinds


def _days(rules: Ruleset, end: datetime, known: datetime, days: int) -> Iterator[Examples]:
    kinds = _kinds_judged(known)
    for number in range(days - 1, -1, -1):
        day = end - number * DAY
        bad = _bad(day, known)
        good = np.setdiff1d(_active(day, kinds), bad)
        kept = _some(good, MOST_EXAMPLES // days, number)
        accounts = np.union1d(bad, kept)
        if not len(accounts):
            continue
        weight = len(good) / max(len(kept), 1)
        for start in range(0, len(accounts), CHUNK):
            ids = Accounts.listed(accounts[start : start + CHUNK].tolist())
            found = fresh_scores(ids, rules, at=day, from_log=True)
            fraud = np.isin(found.account, bad)
            yield Examples(found.account, found.counts, fraud, np.where(fraud, 1.0, weight))


def _bad(day: datetime, known: datetime) -> Ints:
    """Return the accounts with an event of the day that was known to be fraud."""
    found = fetch(
        (Read("account", "o.account_id"),),
        f"FROM {OUTCOMES} AS o WHERE o.is_fraud AND o.account_id IS NOT NULL "
        "AND o.known_at <= %s AND o.occurred_at > %s AND o.occurred_at <= %s "
        "GROUP BY o.account_id",
        [known, day - DAY, day],
    )
    return np.sort(found["account"])


def found_out(moment: datetime, days: int) -> Ints:
    """Return the accounts of which fraud became known in so many days before a moment."""
    since = moment - timedelta(days=days)
    outcomes = EventOutcome.objects.filter(
        is_fraud=True, account__isnull=False, known_at__gt=since, known_at__lte=moment
    )
    verdicts = AccountFacts.objects.filter(
        confirmed_fraud_at__gt=since, confirmed_fraud_at__lte=moment
    )
    accounts = {
        *outcomes.values_list("account_id", flat=True).distinct(),
        *verdicts.values_list("account_id", flat=True),
    }
    return np.array(sorted(accounts), dtype=np.int64)


def _active(day: datetime, kinds: list[int]) -> Ints:
    if not kinds:
        return np.zeros(0, dtype=np.int64)
    listed = ", ".join(map(str, kinds))
    found = fetch(
        (Read("account", "e.account_id"),),
        f"FROM {EVENTS} AS e WHERE e.kind IN ({listed}) "
        "AND e.occurred_at > %s AND e.occurred_at <= %s GROUP BY e.account_id",
        [day - DAY, day],
    )
    return np.sort(found["account"])


def _some(accounts: Ints, most: int, seed: int) -> Ints:
    """Return at most so many of the accounts, the same ones each time."""
    if len(accounts) <= most:
        return accounts
    return np.sort(np.random.default_rng(seed).choice(accounts, most, replace=False))
