"""Which facts are kept of an account, and how events add up to them.

Upkeep adds a batch to the stored facts, a rebuild derives them from the whole log; both read
this table, and each line is a count, an earliest or a latest moment, so they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from riskops.event_kinds import EventKind as K


@dataclass(frozen=True, slots=True)
class Fact:
    """One column of AccountFacts."""

    column: str
    how: Literal["count", "first", "last"]
    kind: K | None = None  # None: every kind

    def covers(self, kind: int) -> bool:
        return self.kind is None or self.kind == kind


FACTS = (
    Fact("events", "count"),
    Fact("first_event_at", "first"),
    Fact("last_event_at", "last"),
    Fact("account_created_at", "first", K.ACCOUNT_CREATED),
    Fact("last_login_at", "last", K.LOGIN_OK),
    Fact("first_purchase_at", "first", K.PURCHASE),
    Fact("verified_at", "last", K.ACCOUNT_VERIFIED),
    Fact("two_factor_enabled_at", "last", K.TWO_FACTOR_ENABLED),
    Fact("two_factor_disabled_at", "last", K.TWO_FACTOR_DISABLED),
    Fact("last_report_at", "last", K.CONTENT_REPORTED),
    Fact("last_dispute_at", "last", K.DISPUTE_OPENED),
    Fact("confirmed_fraud_at", "last", K.CONFIRMED_FRAUD),
    Fact("confirmed_legitimate_at", "last", K.CONFIRMED_LEGITIMATE),
    Fact("logins", "count", K.LOGIN_OK),
    Fact("failed_logins", "count", K.LOGIN_FAILED),
    Fact("wallets_connected", "count", K.WALLET_CONNECTED),
    Fact("wallets_disconnected", "count", K.WALLET_DISCONNECTED),
    Fact("transfers", "count", K.TRANSFER),
    Fact("purchases", "count", K.PURCHASE),
    Fact("sales", "count", K.SALE),
    Fact("refunds", "count", K.REFUND),
    Fact("disputes", "count", K.DISPUTE_OPENED),
    Fact("posts", "count", K.CONTENT_POSTED),
    Fact("messages", "count", K.MESSAGE_SENT),
    Fact("reports", "count", K.CONTENT_REPORTED),
    Fact("follows", "count", K.FOLLOW),
)
COUNTS = tuple(fact.column for fact in FACTS if fact.how == "count")
MOMENTS = tuple(fact.column for fact in FACTS if fact.how != "count")

# Done to the account by others: their addresses and devices are not the account's own.
PASSIVE_KINDS = frozenset(
    {K.LOGIN_FAILED, K.CONTENT_REPORTED, K.CONFIRMED_FRAUD, K.CONFIRMED_LEGITIMATE}
)
