"""Stored values of the settings that staff may change, and who changed them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import AppendOnlyModel


class SystemConfig(models.Model):
    """One stored value; a setting without a row has its default."""

    key = models.CharField(_("key"), max_length=100, primary_key=True)
    value = models.JSONField(_("value"))
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("setting")
        verbose_name_plural = _("settings")
        permissions = [
            ("view_statistics", _("Can see the figures")),
            ("view_systemstatus", _("Can see the state of the system")),
        ]

    def __str__(self) -> str:
        return self.key


class ConfigurationChange(AppendOnlyModel):
    """One change of one setting."""

    key = models.CharField(_("key"), max_length=100)
    old = models.JSONField(_("old value"), null=True)
    new = models.JSONField(_("new value"), null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    actor_name = models.CharField(_("actor name"), max_length=150, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    changed_at = models.DateTimeField(_("changed at"), auto_now_add=True)

    class Meta:
        verbose_name = _("configuration change")
        verbose_name_plural = _("configuration history")
        ordering = ["-id"]
        # History of one key, newest first.
        indexes = [models.Index(fields=["key", "-id"], name="config_change_key")]

    def __str__(self) -> str:
        return f"{self.key} {self.changed_at:%Y-%m-%d %H:%M}"
