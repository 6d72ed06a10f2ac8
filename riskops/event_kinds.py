"""The kinds of account events and what they have in common."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventKind(models.IntegerChoices):
    """What happened; stored as a number to keep twenty million rows narrow."""

    ACCOUNT_CREATED = 1, _("Account created")
    LOGIN_OK = 2, _("Login")
    LOGIN_FAILED = 3, _("Failed login")
    TWO_FACTOR_ENABLED = 4, _("Two-factor sign-in enabled")
    TWO_FACTOR_DISABLED = 5, _("Two-factor sign-in disabled")
    ACCOUNT_VERIFIED = 6, _("Account verified")
    WALLET_CONNECTED = 7, _("Wallet connected")
    WALLET_DISCONNECTED = 8, _("Wallet disconnected")
    TRANSFER = 9, _("Transfer")
    PURCHASE = 10, _("Purchase")
    SALE = 11, _("Sale")
    REFUND = 12, _("Refund")
    DISPUTE_OPENED = 13, _("Dispute opened")
    CONTENT_POSTED = 14, _("Content posted")
    MESSAGE_SENT = 15, _("Message sent")
    CONTENT_REPORTED = 16, _("Content reported")
    FOLLOW = 17, _("Follow")
    CONFIRMED_FRAUD = 18, _("Confirmed fraud")
    CONFIRMED_LEGITIMATE = 19, _("Confirmed legitimate")
    CHARGEBACK = 20, _("Chargeback")

    @property
    def code(self) -> str:
        """The name used in the API, in files and by other apps."""
        return self.name.lower()


KIND_BY_CODE: dict[str, EventKind] = {kind.code: kind for kind in EventKind}

# Kinds that a window of days is counted over; they are rare enough for an index of their own.
RARE_KINDS = (
    EventKind.WALLET_CONNECTED,
    EventKind.CONTENT_REPORTED,
    EventKind.DISPUTE_OPENED,
    EventKind.REFUND,
    EventKind.CHARGEBACK,
)
# What an account pays to others.
PAID_KINDS = (EventKind.TRANSFER, EventKind.PURCHASE)
# What a person does with their hands, for bursts and automation.
ACTION_KINDS = (
    EventKind.TRANSFER,
    EventKind.PURCHASE,
    EventKind.SALE,
    EventKind.CONTENT_POSTED,
    EventKind.MESSAGE_SENT,
    EventKind.FOLLOW,
)
