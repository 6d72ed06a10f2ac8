"""API tokens: hashed, expiring, one per device."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class ApiToken(AbstractAuthToken):
    """A bearer token; only its SHA-512 digest is stored."""

    public_id = models.UUIDField(
        _("public id"),
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text=_("Names the token in lists, where the digest has no business."),
    )
    label = models.CharField(_("label"), max_length=100, blank=True)
    device = models.CharField(_("device"), max_length=128, blank=True)
    device_info = models.JSONField(_("device details"), default=dict, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=300, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), default=timezone.now, blank=True)
    two_factor_at = models.DateTimeField(
        _("second factor at"),
        null=True,
        blank=True,
        help_text=_("When the second factor was passed; empty when it was not."),
    )
    scopes = models.JSONField(
        _("scopes"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Of a token that the platform made for a member's app; none is a sign-in."),
    )
    service_key = models.ForeignKey(
        "systemadmin.ServiceKey",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="member_tokens",
        verbose_name=_("service key"),
        help_text=_("The key that made it; the token ends with that key."),
    )
    demo_session = models.ForeignKey(
        "systemadmin.Demo2FASession",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="tokens",
        verbose_name=_("demo 2FA session"),
        help_text=_("The demo code that vouched for it; the token ends with that session."),
    )

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        indexes = [
            # The nightly sweep of expired tokens.
            models.Index(fields=["expiry"], name="apitoken_expiry"),
        ]
