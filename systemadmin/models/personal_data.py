"""Exports and erasures of accounts: long work that goes on after its process died."""

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.files import PrivateStorage
from systemadmin.models.backups import RecordedWork

# Kept out of backups: what is here is a copy of what they hold, for a few days.
EXPORT_FOLDER = "exports"


def export_path(export: "AccountExport", name: str) -> str:
    """Return a random name: it says nothing about whose export it is."""
    return f"{EXPORT_FOLDER}/{secrets.token_hex(16)}.zip"


class AccountExport(RecordedWork):
    """A copy of everything about an account that its owner may have, as a ZIP file."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Expired")

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        on_delete=models.CASCADE,
        related_name="exports",
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    language = models.CharField(_("language"), max_length=2, default="en")
    is_own = models.BooleanField(_("asked for by its owner"), default=False)
    file = models.FileField(
        _("file"), storage=PrivateStorage, upload_to=export_path, max_length=200, blank=True
    )
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("export of an account")
        verbose_name_plural = _("exports of accounts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "is_own"],
                condition=Q(status__in=("queued", "running")),
                name="systemadmin_export_one_at_a_time",
                violation_error_message=_("An export of this account is being made already."),
            ),
        ]
        indexes = [
            # Which files to delete now: asked by the clock.
            models.Index(
                fields=["expires_at"], name="account_export_expiry", condition=Q(status="done")
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class AccountErasure(RecordedWork):
    """The erasure of an account: what was asked for, how far it is, what it did."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        on_delete=models.CASCADE,
        related_name="erasures",
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    reason = models.TextField(_("reason"), max_length=500)
    despite_open_business = models.BooleanField(_("despite open business"), default=False)
    # Keyed: a token that the platform issued before the erasure must not bring the account back.
    external_id_digest = models.CharField(
        _("digest of the external id"), max_length=64, blank=True, editable=False, db_index=True
    )
    # Where it goes on: tables done, and the last row treated in the next one.
    tables_done = models.PositiveIntegerField(_("tables done"), default=0)
    last_row = models.BigIntegerField(_("last row"), default=0)
    counts: Any = models.JSONField(_("rows by table"), default=dict, blank=True)

    class Meta:
        verbose_name = _("erasure of an account")
        verbose_name_plural = _("erasures of accounts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status__in=("queued", "running")),
                name="systemadmin_erasure_one_at_a_time",
                violation_error_message=_("This account is being erased already."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
