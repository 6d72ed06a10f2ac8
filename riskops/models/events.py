"""The log of account events: the only input of the risk engine."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from riskops.event_kinds import ACTION_KINDS, KIND_BY_CODE, PAID_KINDS, RARE_KINDS, EventKind
from riskops.ingest.querysets import AccountEventQuerySet
from riskops.models.identifiers import Identifier
from systemadmin.foundation.models import TimestampedModel

__all__ = [
    "ACTION_KINDS",
    "KIND_BY_CODE",
    "RARE_KINDS",
    "AccountEvent",
    "EventKind",
    "IngestCheckpoint",
]


def identifier_key(name: Any) -> models.ForeignKey:
    """Return a reference without constraint and index: identifiers keep their number for ever."""
    return models.ForeignKey(
        Identifier,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=name,
    )


class AccountEvent(models.Model):
    """Something that happened to or was done by an account. Never changed once written."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="account_events",
        db_index=False,  # account and time are indexed together
        verbose_name=_("account"),
    )
    kind = models.PositiveSmallIntegerField(_("kind"), choices=EventKind)
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    source = models.CharField(_("source"), max_length=32)
    external_id = models.CharField(_("external id"), max_length=128)
    ip = identifier_key(_("IP address"))
    device = identifier_key(_("device"))
    wallet = identifier_key(_("wallet"))
    counterparty_wallet = identifier_key(_("counterparty wallet"))
    amount = models.BigIntegerField(_("amount"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    data = models.JSONField(_("data"), null=True, blank=True)

    objects = AccountEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("account event")
        verbose_name_plural = _("account events")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                name="riskops_event_source_external_id",
                violation_error_message=_("This event is already recorded."),
            ),
        ]
        indexes = [
            # The timeline of one account; facts rebuilt account by account.
            models.Index(fields=["account", "occurred_at"], name="riskops_event_account_time"),
            # Short windows over everyone: IPs, failed logins and automation of the last day.
            models.Index(fields=["occurred_at", "account"], name="riskops_event_time_account"),
            # What else was done with a counterparty.
            models.Index(
                fields=["counterparty_wallet", "occurred_at"],
                condition=models.Q(counterparty_wallet__isnull=False),
                name="riskops_event_counterparty",
            ),
            # Long windows over few kinds: wallets in 7 days, reports and disputes in 90.
            models.Index(
                fields=["kind", "occurred_at", "account"],
                condition=models.Q(kind__in=[kind.value for kind in RARE_KINDS]),
                name="riskops_event_rare_kinds",
            ),
            # What accounts paid in a month, against what they paid before.
            models.Index(
                fields=["account", "occurred_at"],
                condition=models.Q(kind__in=[kind.value for kind in PAID_KINDS]),
                name="riskops_event_paid",
            ),
        ]
        permissions = [("ingest_events", _("Can send account events"))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.source}/{self.external_id}"


class IngestCheckpoint(TimestampedModel):
    """How far a file has been loaded, so that a killed load goes on where it stopped."""

    key = models.CharField(_("key"), max_length=64, unique=True)
    path = models.CharField(_("file"), max_length=400)
    rows_done = models.PositiveBigIntegerField(_("rows done"), default=0)
    accepted = models.PositiveBigIntegerField(_("accepted"), default=0)
    duplicates = models.PositiveBigIntegerField(_("duplicates"), default=0)
    refused = models.PositiveBigIntegerField(_("refused"), default=0)
    strangers = models.PositiveBigIntegerField(
        _("between strangers"), default=0, help_text=_("Transfers neither end of which is ours.")
    )
    refused_bytes = models.PositiveBigIntegerField(_("bytes of refused rows"), default=0)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("load of a file")
        verbose_name_plural = _("loads of files")

    def __str__(self) -> str:
        return self.path
