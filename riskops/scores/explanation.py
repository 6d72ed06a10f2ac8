"""A stored breakdown in words: what was counted, since when, and the score without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from riskops.amounts import amount_text
from riskops.event_kinds import KIND_BY_CODE
from riskops.scores import scoring
from riskops.scores.factors import FAMILY_TITLES, Factor
from riskops.scores.facts import from_micros
from riskops.scores.measure_spec import AGGREGATES, OF_MONEY, WITH_OWN_PAST, Measure
from riskops.scores.rules import Ruleset
from riskops.scores.written_factors import currency_paid

Line = Sequence[Any]  # factor, points, points before the family's cap, counted, since in µs

ABOVE_HABIT = gettext_lazy(
    "an amount in %(window)s of %(count)s %% of its own mean of the 30 days before; "
    "past events needed: %(least_past)s"
)
SENTENCES = {
    "many_ips": gettext_lazy("%(count)s IP addresses in %(window)s (more than %(over)s count)"),
    "wallet_changes": gettext_lazy(
        "%(count)s wallets connected in %(window)s (more than %(over)s count)"
    ),
    "content_reports": gettext_lazy("%(count)s reports in %(window)s"),
    "suspicious_transactions": gettext_lazy("%(count)s open or confirmed anomalies"),
    "new_account_burst": gettext_lazy(
        "%(count)s actions by an account younger than %(window)s (more than %(over)s count)"
    ),
    "proxy_ip": gettext_lazy("%(count)s listed IP addresses in %(window)s"),
    "automation": gettext_lazy("%(count)s actions in %(window)s like those of a machine"),
    "high_risk_country": gettext_lazy("logins from %(count)s high-risk countries in %(window)s"),
    "failed_logins": gettext_lazy("%(count)s failed logins in %(window)s"),
    "linked_to_confirmed_fraud": gettext_lazy(
        "linked with %(percent)s %% probability to an account confirmed as fraud"
    ),
    "two_factor": gettext_lazy("two-factor sign-in is on"),
    "verified": gettext_lazy("the account is verified"),
    "account_age": gettext_lazy("the account was %(count)s days old"),
    "clean_history": gettext_lazy("%(window)s without report, dispute or anomaly about money"),
    "completed_trades": gettext_lazy("%(count)s completed trades"),
    "confirmed_fraud": gettext_lazy("the account was confirmed as fraud"),
    "anomalies": gettext_lazy("open or confirmed anomalies whose rules give %(count)s points"),
    "disputes": gettext_lazy("%(count)s disputes in %(window)s"),
    "refunds": gettext_lazy("%(count)s refunds in %(window)s (more than %(over)s count)"),
    "chargebacks": gettext_lazy("%(count)s chargebacks in %(window)s"),
    "quick_purchase": gettext_lazy("first purchase within %(count)s seconds of signing up"),
    "shared_device": ngettext_lazy(
        "%(count)s other account used one of its devices",
        "%(count)s other accounts used one of its devices",
        "count",
    ),
    "shared_address": ngettext_lazy(
        "%(count)s other account used one of its addresses",
        "%(count)s other accounts used one of its addresses",
        "count",
    ),
    "shared_wallet": ngettext_lazy(
        "%(count)s other account used one of its wallets",
        "%(count)s other accounts used one of its wallets",
        "count",
    ),
    "link_strength": gettext_lazy("a link of strength %(count)s to another account"),
    "linked_accounts": gettext_lazy("likely links to %(count)s accounts"),
    "suspected_fraud_link": gettext_lazy(
        "suspected, with %(percent)s %% probability, to have the owner of an account confirmed as "
        "fraud"
    ),
    "cluster_size": gettext_lazy("in a cluster of %(count)s accounts"),
    "cluster_fraud": gettext_lazy(
        "%(percent)s %% of the other accounts of its cluster are confirmed as fraud"
    ),
    "counterparty_fraud": gettext_lazy(
        "paid a counterparty of whose events about %(percent)s %% turned out to be fraud"
    ),
    "amount_habit": ABOVE_HABIT,
    "week_habit": ABOVE_HABIT,
    "largest_amount": gettext_lazy("an amount of %(amount)s in %(window)s"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One factor's part of a score."""

    factor: str
    title: str
    family: str
    points: int
    full: int
    counted: int
    since: datetime | None
    window: int | None
    text: str
    without: int

    @property
    def family_title(self) -> str:
        """The name of the family, whose factors share a cap."""
        return str(FAMILY_TITLES[self.family])

    @property
    def evidence(self) -> dict[str, Any]:
        """What was counted, as data."""
        evidence: dict[str, Any] = {
            "text": self.text,
            "counted": self.counted,
            "since": self.since,
            "window_seconds": self.window,
        }
        if self.full != self.points:
            evidence["points_before_cap"] = self.full
        return evidence


# What is counted per thousand, as people read it beside a percentage.
SHARES = {
    "unusual": gettext_lazy("share of its own past events with another value"),
    "counterparty": gettext_lazy("share of bad outcomes of the counterparty"),
}


def explain(
    breakdown: Sequence[Line], rules: Ruleset, *, account: int | None = None
) -> list[Reason]:
    """Return the reasons of a score, weightiest first, each with the score without it.

    With the account, amounts are written in the currency of its events.
    """
    codes = rules.codes
    full = np.zeros((1, len(codes)), dtype=np.int64)
    for code, _given, whole, _count, _since in breakdown:
        full[0, codes.index(code)] = whole
    without = scoring.scores_without_each_factor(full, rules)[0]
    reasons = [_reason(line, rules, without, account) for line in breakdown]
    return sorted(reasons, key=lambda reason: (-abs(reason.points), codes.index(reason.factor)))


def _reason(line: Line, rules: Ruleset, without: scoring.Ints, account: int | None) -> Reason:
    code, given, whole, count, since = line
    factor = rules.factor(code)
    return Reason(
        factor=code,
        title=factor.title,
        family=factor.family,
        points=given,
        full=whole,
        counted=count,
        since=from_micros(since) if since is not None else None,
        window=factor.window,
        text=_sentence(factor, count, _currency(factor, account, since)),
        without=int(without[rules.codes.index(code)]),
    )


def _currency(factor: Factor, account: int | None, since: int | None) -> str:
    """Return the currency of the amounts that a factor is about; empty when it is not one."""
    measure = factor.measure
    if measure is None or measure.aggregate not in OF_MONEY:
        return ""
    if measure.currency or account is None or since is None:
        return measure.currency
    return currency_paid(account, measure, since, factor.window or 0)


def _sentence(factor: Factor, count: int, currency: str) -> str:
    if factor.measure is not None and factor.given_title:
        return _measured(factor.measure, count, duration(factor.window or 0), currency)
    text: str = SENTENCES[factor.code] % {
        "count": count,
        "amount": amount_text(count, currency),
        "least_past": factor.measure.least_past if factor.measure else 0,
        "percent": f"{count / 10:g}",
        "over": factor.over,
        "window": duration(factor.window or 0),
    }
    return text


def _measured(measure: Measure, count: int, window: str, currency: str) -> str:
    text = _("%(how)s: %(count)s (%(kinds)s, in %(window)s)")
    told = text % {
        "how": _how(measure),
        "count": _counted(measure.aggregate, count, currency),
        "kinds": _kinds_text(measure.events.kinds),
        "window": window,
    }
    return told + past_needed(measure.aggregate, measure.least_past)


def _how(measure: Measure) -> str:
    """Return how a measure counts, for people: shares are told in per cent."""
    if measure.aggregate == "share" and measure.other is not None:
        return _("share of %(kinds)s") % {"kinds": _kinds_text(measure.other.kinds)}
    return str(SHARES.get(measure.aggregate) or AGGREGATES[measure.aggregate])


def _counted(aggregate: str, count: int, currency: str) -> str:
    if aggregate in OF_MONEY:
        return amount_text(count, currency)
    if aggregate == "share" or aggregate in SHARES:
        return f"{number_format(count / 10, use_l10n=True)} %"
    return str(count)


def _kinds_text(codes: Sequence[str]) -> str:
    return ", ".join(str(KIND_BY_CODE[code].label) for code in codes)


def past_needed(aggregate: str, least_past: int) -> str:
    """Return how many past events a measure needs, to be put after its sentence; else nothing."""
    if aggregate not in WITH_OWN_PAST:
        return ""
    return _("; past events needed: %(least_past)s") % {"least_past": least_past}


def duration(seconds: int) -> str:
    """Return a window in words."""
    if seconds % 86_400 == 0 and seconds > 86_400:
        days = seconds // 86_400
        return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
    if seconds % 3600 == 0:
        hours = seconds // 3600
        return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
    return _("%(n)s minutes") % {"n": round(seconds / 60)}
