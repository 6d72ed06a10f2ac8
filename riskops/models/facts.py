"""What the engine remembers of each account, kept up to date with every batch of events."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


def counter(label: Any) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(label, default=0)


def moment(label: Any) -> models.DateTimeField:
    return models.DateTimeField(label, null=True, blank=True)


class AccountFacts(models.Model):
    """Running counters of one account, so that scoring never reads the event log again.

    Every column is a count, a minimum or a maximum over events: the order in which batches
    arrive cannot matter, and the same columns can be derived again from the log.
    """

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="risk_facts",
        verbose_name=_("account"),
    )
    events = counter(_("events"))
    first_event_at = moment(_("first event"))
    last_event_at = moment(_("last event"))
    account_created_at = moment(_("account created"))
    last_login_at = moment(_("last login"))
    first_purchase_at = moment(_("first purchase"))
    verified_at = moment(_("verified"))
    two_factor_enabled_at = moment(_("two-factor enabled"))
    two_factor_disabled_at = moment(_("two-factor disabled"))
    last_report_at = moment(_("last report"))
    last_dispute_at = moment(_("last dispute"))
    confirmed_fraud_at = moment(_("confirmed fraud"))
    confirmed_legitimate_at = moment(_("confirmed legitimate"))
    logins = counter(_("logins"))
    failed_logins = counter(_("failed logins"))
    wallets_connected = counter(_("wallets connected"))
    wallets_disconnected = counter(_("wallets disconnected"))
    transfers = counter(_("transfers"))
    purchases = counter(_("purchases"))
    sales = counter(_("sales"))
    refunds = counter(_("refunds"))
    disputes = counter(_("disputes"))
    posts = counter(_("posts"))
    messages = counter(_("messages"))
    reports = counter(_("reports"))
    follows = counter(_("follows"))

    class Meta:
        verbose_name = _("account facts")
        verbose_name_plural = _("account facts")

    def __str__(self) -> str:
        return str(self.account_id)


class AccountCountry(models.Model):
    """The countries an account signed in from."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="login_countries",
        db_index=False,  # the unique constraint serves it
        verbose_name=_("account"),
    )
    country = models.CharField(_("country"), max_length=2)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    logins = models.PositiveIntegerField(_("logins"), default=0)

    class Meta:
        verbose_name = _("country of login")
        verbose_name_plural = _("countries of login")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "country"],
                name="riskops_country_account_country",
                violation_error_message=_("This country is already noted for the account."),
            ),
        ]
        indexes = [
            # The factor high_risk_country: recent logins from the listed countries.
            models.Index(fields=["country", "last_seen"], name="riskops_country_last_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.country}"


class PendingScore(models.Model):
    """An account whose facts changed since it was scored; taken off when it is scored.

    A row of its own instead of a time mark: a mark misses batches that commit late.
    """

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
        verbose_name=_("account"),
    )
    touches = models.PositiveIntegerField(_("touches"), default=1)

    class Meta:
        verbose_name = _("account waiting for its score")
        verbose_name_plural = _("accounts waiting for their score")

    def __str__(self) -> str:
        return str(self.account_id)


class SumAspect(models.IntegerChoices):
    """What a sum of deleted events is of."""

    KIND = 1, _("Kind of event")
    OWN = 2, _("Own identifier")
    OTHER = 3, _("Wallet of a counterparty")
    COUNTRY = 4, _("Country of login")


class EventSum(models.Model):
    """What deleted events of one account add up to: their number, the first and the last.

    Facts, sightings, dealings and countries are derived from the log together with these sums.
    """

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the unique constraint serves it
        verbose_name=_("account"),
    )
    aspect = models.PositiveSmallIntegerField(_("aspect"), choices=SumAspect)
    # The kind of event or the id of the identifier; 0 for a country.
    subject = models.BigIntegerField(_("subject"), default=0)
    country = models.CharField(_("country"), max_length=2, blank=True, default="")
    number = models.PositiveIntegerField(_("number"))
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))

    class Meta:
        verbose_name = _("sum of deleted events")
        verbose_name_plural = _("sums of deleted events")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "aspect", "subject", "country"],
                name="riskops_eventsum_once",
                violation_error_message=_("This sum exists already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.number}"
