"""The factors that rulesets are made of, and those that are shipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext_lazy as _

from riskops.event_kinds import PAID_KINDS
from riskops.scores.measure_spec import USUAL_DELAY, Chosen, Measure

HOUR = 3600
DAY = 24 * HOUR

Mode = Literal["flat", "each", "steps"]
Step = tuple[int, int]  # counted from, points


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason for points.

    `flat` gives them once, `each` for every `per` counted, `steps` those of the highest step
    reached.
    """

    code: str
    family: str
    points: int
    mode: Mode = "flat"
    per: int = 1
    over: int = 0
    cap: int | None = None
    window: int | None = None
    enabled: bool = True
    steps: tuple[Step, ...] = ()
    # The title that staff gave to a factor they wrote; empty for shipped factors.
    given_title: str = ""
    # What is counted over the events of the window, of factors that read them one by one.
    measure: Measure | None = None

    @property
    def title(self) -> str:
        return self.given_title or str(FACTOR_TITLES[self.code])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        document: dict[str, Any] = {
            "code": self.code,
            "points": self.points,
            "mode": self.mode,
            "per": self.per,
            "over": self.over,
            "cap": self.cap,
            "window": self.window,
            "enabled": self.enabled,
            "steps": [list(step) for step in self.steps],
        }
        if self.measure is not None and self.given_title:
            document |= {"title": self.given_title, "family": self.family}
            document["measure"] = self.measure.to_dict()
        return document

    @property
    def most(self) -> int:
        """The points furthest from zero that it can give by itself, before its cap."""
        if self.mode == "steps":
            return max((points for _count, points in self.steps), key=abs, default=0)
        return self.points


FACTOR_TITLES = {
    "many_ips": _("Many IP addresses in a short time"),
    "wallet_changes": _("Wallets changed often"),
    "content_reports": _("Reported content"),
    "suspicious_transactions": _("Suspicious transactions"),
    "new_account_burst": _("New account with high activity"),
    "proxy_ip": _("Proxy, VPN or Tor address"),
    "automation": _("Looks automated"),
    "high_risk_country": _("Login from a high-risk country"),
    "failed_logins": _("Failed logins"),
    "linked_to_confirmed_fraud": _("Linked to confirmed fraud"),
    "two_factor": _("Two-factor sign-in"),
    "verified": _("Verified account"),
    "account_age": _("Age of the account"),
    "clean_history": _("Clean history"),
    "completed_trades": _("Completed trades"),
    "confirmed_fraud": _("Confirmed as fraud"),
    "anomalies": _("Anomalies"),
    "disputes": _("Disputes"),
    "refunds": _("Refunds"),
    "chargebacks": _("Chargebacks"),
    "quick_purchase": _("Purchase right after sign-up"),
    "shared_device": _("Other accounts on a device"),
    "shared_address": _("Other accounts at an address"),
    "shared_wallet": _("Other accounts with a wallet"),
    "link_strength": _("Strongest link to another account"),
    "linked_accounts": _("Number of linked accounts"),
    "suspected_fraud_link": _("Suspected link to confirmed fraud"),
    "cluster_size": _("Size of the cluster"),
    "cluster_fraud": _("Confirmed fraud in the cluster"),
    "counterparty_fraud": _("Counterparty with bad outcomes"),
    "amount_habit": _("Amount above its own habit"),
    "week_habit": _("Amounts of the week above its own habit"),
    "largest_amount": _("Largest amount"),
}

# What an account pays to others.
PAID = Chosen(tuple(sorted(kind.code for kind in PAID_KINDS)))

DEFAULT_FACTORS = (
    Factor("many_ips", "identity", 15, over=3, window=24 * HOUR),
    Factor("wallet_changes", "identity", 20, over=2, window=7 * DAY),
    Factor("content_reports", "reports", 10, mode="each", cap=40, window=90 * DAY),
    Factor("suspicious_transactions", "transactions", 25),
    Factor("new_account_burst", "velocity", 10, over=50, window=7 * DAY),
    Factor("proxy_ip", "identity", 15, window=30 * DAY),
    Factor("automation", "velocity", 30, over=20, window=24 * HOUR),
    Factor("high_risk_country", "identity", 10, window=30 * DAY),
    Factor("failed_logins", "velocity", 5, mode="each", cap=25, window=24 * HOUR),
    Factor("linked_to_confirmed_fraud", "links", 40, mode="each", per=1000, cap=40),
    Factor("two_factor", "trust", -20),
    Factor("verified", "trust", -15),
    Factor("account_age", "trust", -5, mode="each", per=365, cap=20),
    Factor("clean_history", "trust", -10, window=90 * DAY),
    Factor("completed_trades", "trust", -1, mode="each", per=10, cap=15),
    # Above all that trust can take off: confirmed fraud is critical by itself.
    Factor("confirmed_fraud", "verdict", 180),
    Factor("anomalies", "anomalies", 1, mode="each", cap=60),
    Factor("disputes", "trading", 8, mode="each", cap=40, window=90 * DAY),
    Factor("refunds", "trading", 4, mode="each", over=1, cap=20, window=90 * DAY),
    Factor("chargebacks", "trading", 25, mode="each", cap=60, window=180 * DAY),
    # Seconds: within a minute it is a script, within ten somebody in a hurry.
    Factor(
        "quick_purchase",
        "velocity",
        0,
        mode="steps",
        steps=((1, 45), (61, 20), (601, 5), (3601, 0)),
    ),
    Factor("shared_device", "sharing", 0, mode="steps", steps=((1, 30), (2, 40), (4, 45), (8, 50))),
    Factor("shared_address", "sharing", 0, mode="steps", steps=((1, 5), (2, 10), (4, 15), (8, 20))),
    Factor("shared_wallet", "sharing", 0, mode="steps", steps=((1, 35), (2, 45))),
    Factor("link_strength", "sharing", 0, mode="steps", steps=((50, 5), (80, 10), (95, 15))),
    Factor("linked_accounts", "sharing", 0, mode="steps", steps=((1, 0), (2, 5), (4, 10))),
    Factor("suspected_fraud_link", "links", 20, mode="each", per=1000, cap=20),
    Factor("cluster_size", "sharing", 0, mode="steps", steps=((3, 5), (6, 10), (12, 15))),
    Factor("cluster_fraud", "links", 30, mode="each", per=1000, cap=30),
    # Bad outcomes per thousand, known after a week: of a sound counterparty next to none.
    Factor(
        "counterparty_fraud",
        "payments",
        0,
        mode="steps",
        steps=((50, 15), (150, 30), (300, 40)),
        window=DAY,
        measure=Measure("counterparty", PAID, past=7 * DAY, delay=USUAL_DELAY),
    ),
    # Per cent of the mean of a month.
    Factor(
        "amount_habit",
        "payments",
        0,
        mode="steps",
        steps=((300, 10), (500, 15), (1000, 25)),
        window=DAY,
        measure=Measure("habit", PAID, past=30 * DAY),
    ),
    Factor(
        "week_habit",
        "payments",
        0,
        mode="steps",
        steps=((500, 5), (1000, 10)),
        window=7 * DAY,
        measure=Measure("habit", PAID, past=30 * DAY),
    ),
    # What is much depends on the place: no points until they are learned or set.
    Factor(
        "largest_amount",
        "payments",
        0,
        mode="steps",
        steps=((1, 0),),
        window=DAY,
        measure=Measure("max", PAID),
    ),
)
# What staff found the account itself to be.
VERDICT = "confirmed_fraud"
CODES = tuple(factor.code for factor in DEFAULT_FACTORS)
# Rulesets that were stored before the others existed have these fifteen.
FIRST_CODES = frozenset(CODES[:15])
# By the form of the stored document: which factors there were.
CODES_OF_FORMAT = {1: FIRST_CODES, 2: frozenset(CODES[:29])}
FAMILY_TITLES = {
    "identity": _("Identity"),
    "velocity": _("Velocity"),
    "reports": _("Reports"),
    "transactions": _("Transactions"),
    "links": _("Links"),
    "trust": _("Trust"),
    "verdict": _("Verdicts"),
    "anomalies": _("Anomalies"),
    "trading": _("Trading"),
    "sharing": _("Sharing"),
    "payments": _("Payments"),
}
FAMILIES = tuple(FAMILY_TITLES)
# A family cannot give more than this, so that correlated factors do not stack.
DEFAULT_FAMILY_CAPS = {
    "identity": 45,
    "velocity": 45,
    "reports": 40,
    "transactions": 40,
    "links": 40,
    "trust": 80,
    "verdict": 180,
    "anomalies": 60,
    "trading": 60,
    "sharing": 55,
    "payments": 60,
}
# Read over windows of months, through an index of their own.
RARE_EVENT_FACTORS = ("wallet_changes", "content_reports", "disputes", "refunds", "chargebacks")
WINDOWED = frozenset(factor.code for factor in DEFAULT_FACTORS if factor.window)
FREQUENT_EVENT_FACTORS = frozenset({"many_ips", "failed_logins", "automation"})
