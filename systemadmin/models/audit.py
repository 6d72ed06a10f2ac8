"""The audit trail: who did what to what, from where."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import AppendOnlyModel


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
        on_delete=models.SET_NULL,
        related_name="+",
        db_constraint=False,
    )
    # A copy of the key: deleting the account empties `actor`, never this.
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
    mac = models.CharField(
        _("authentication code"),
        max_length=64,
        blank=True,
        help_text=_("HMAC of the row under the application's key: a row without it is not ours."),
    )

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
    """One link of the hash chain over the audit trail.

    Links are made by a task in the order of the rows' keys, not by the writers: a chain
    head that every audited transaction had to lock would let only one of them run.
    """

    position = models.BigIntegerField(_("position"), primary_key=True)
    entry_id = models.BigIntegerField(_("audit entry"), unique=True)
    row_hash = models.CharField(_("hash of the row"), max_length=64)
    chain_hash = models.CharField(_("hash of the chain"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed at"), auto_now_add=True)

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position}: {self.chain_hash[:12]}"
