"""API tokens: hashed, expiring, one per device."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class ApiToken(AbstractAuthToken):
    """A bearer token; only its SHA-512 digest is stored."""

    label = models.CharField(_("label"), max_length=100, blank=True)
    device = models.CharField(_("device"), max_length=128, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=300, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    two_factor_at = models.DateTimeField(
        _("second factor at"),
        null=True,
        blank=True,
        help_text=_("When the second factor was passed; empty when it was not."),
    )

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
