"""The audit trail: who did what to what, from where."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import AppendOnlyModel
from systemadmin.models.backups import RecordedWork


class AuditEntry(AppendOnlyModel):
    """One act, written in the transaction of the change it tells of.

    The actor's name and role are copied: the row must speak after the account is gone.
    """

    occurred_at = models.DateTimeField(_("occurred at"))
    action = models.CharField(_("action"), max_length=100)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        # The row is authenticated with this key in it: deleting the account leaves it as it is.
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
    )
    actor_ref = models.CharField(_("actor id"), max_length=64, blank=True)
    actor_name = models.CharField(_("actor name"), max_length=150, blank=True)
    actor_role = models.CharField(_("actor role"), max_length=150, blank=True)
    source = models.CharField(_("source"), max_length=20, blank=True)
    target_type = models.CharField(_("object type"), max_length=100, blank=True)
    target_id = models.CharField(_("object id"), max_length=64, blank=True)
    target_name = models.CharField(_("object"), max_length=200, blank=True)
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    metadata = models.JSONField(_("details"), default=dict, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)
    kid = models.CharField(
        _("key id"),
        max_length=16,
        blank=True,
        default="",
        help_text=_("The key of the code; empty for rows from before every field was covered."),
    )
    mac = models.CharField(
        _("authentication code"),
        max_length=64,
        blank=True,
        help_text=_("HMAC of the row under the application's key: a row without it is not ours."),
    )

    # Masked for staff without `view_personal_data`; see foundation/personal_data.py.
    personal_fields = ("ip",)
    personal_texts = ("before", "after", "metadata", "reason")

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]
        indexes = [
            # "What did this person do", "what happened to this object", "when".
            models.Index(fields=["actor", "-id"], name="audit_actor"),
            models.Index(fields=["target_type", "target_id", "-id"], name="audit_target"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["occurred_at"], name="audit_time"),
        ]

    def __str__(self) -> str:
        return f"{self.occurred_at:%Y-%m-%d %H:%M} {self.action}"


class AuditSeal(AppendOnlyModel):
    """One link of the chain over the audit trail, signed with a key outside the database.

    Links are made by a task in the order of the rows' keys, not by the writers: a chain
    head that every audited transaction had to lock would let only one of them run.
    """

    position = models.BigIntegerField(_("position"), primary_key=True)
    entry_id = models.BigIntegerField(_("audit entry"), unique=True)
    row_hash = models.CharField(_("hash of the row"), max_length=64)
    chain_hash = models.CharField(_("hash of the chain"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed at"))
    kid = models.CharField(
        _("key id"),
        max_length=16,
        blank=True,
        default="",
        help_text=_("The key of the link; empty for links from before they were signed."),
    )

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position}: {self.chain_hash[:12]}"


class AuditStatement(AppendOnlyModel):
    """A signed statement about the chain at one position."""

    class Kind(models.TextChoices):
        ADOPTED = "adopted", _("Where signed links begin")
        HEAD = "head", _("Head of the chain")
        RETIRED = "retired", _("Rows removed by retention")
        RESTORED = "restored", _("Rows lost with a restore")
        VERIFIED = "verified", _("Verified up to here")
        EXPLAINED = "explained", _("A fault that was explained")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    position = models.BigIntegerField(_("position"))
    body = models.JSONField(_("details"), default=dict, blank=True)
    made_at = models.DateTimeField(_("made at"))
    kid = models.CharField(_("key id"), max_length=16)
    signature = models.CharField(_("signature"), max_length=64)

    class Meta:
        verbose_name = _("audit statement")
        verbose_name_plural = _("audit statements")
        ordering = ["-id"]
        # The newest of a kind, and the triggers' "how far has retention removed".
        indexes = [models.Index(fields=["kind", "position"], name="audit_statement_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.position}"


class AuditVerification(RecordedWork):
    """One run of the verification of the audit trail, with how far it is and what it found."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Did not run to its end")

    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    checked = models.BigIntegerField(_("rows checked"), default=0)
    total = models.BigIntegerField(_("rows to check"), default=0)
    holds = models.BooleanField(_("holds"), null=True)
    head = models.CharField(_("head of the chain"), max_length=90, blank=True)
    fault_count = models.BigIntegerField(_("faults"), default=0)
    first_fault = models.JSONField(_("first fault"), null=True, blank=True)
    faults = models.JSONField(_("list of faults"), default=list, blank=True)
    notes = models.JSONField(_("notes"), default=list, blank=True)
    heads_compared = models.PositiveIntegerField(_("outside heads compared"), default=0)
    # Where an interrupted run goes on, signed: written only by whoever holds the key.
    resume = models.JSONField(_("state to go on from"), default=dict, blank=True)
    # Null for finished rows, so that the unique index holds one unfinished row at most.
    unfinished = models.BooleanField(_("unfinished"), null=True, editable=False, unique=True)

    class Meta:
        verbose_name = _("audit verification")
        verbose_name_plural = _("audit verifications")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M} {self.status}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the marker of unfinished work in step with the status."""
        is_unfinished = self.status in (self.Status.QUEUED, self.Status.RUNNING)
        self.unfinished = True if is_unfinished else None
        super().save(*args, **kwargs)
