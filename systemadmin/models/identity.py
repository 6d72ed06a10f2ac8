"""Second factors and sign-ins: authenticator devices, recovery codes, demo codes, web sessions."""

import time
from base64 import b32encode
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, DeviceManager, ThrottlingMixin
from django_otp.oath import TOTP

from systemadmin.foundation.crypto import decrypt_secret

TOTP_DIGITS: Final = 6
TOTP_PURPOSE: Final = "totp"
# One step before and after ours: phones are rarely more than half a minute wrong.
_TOLERANCE: Final = 1
# 2^9 seconds between attempts at most: slow enough for guessing (169 a day among a million
# codes), short enough that nobody can lock an owner out for good.
_MAX_COUNTED_FAILURES: Final = 10


class EncryptedTotpDevice(ThrottlingMixin, Device):
    """An authenticator app; the secret it shares with us is encrypted, each code works once."""

    secret = models.TextField(_("encrypted secret"), editable=False)
    last_t = models.BigIntegerField(_("last time step used"), default=-1, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "confirmed"],
                name="one_totp_device_a_user",
                violation_error_message=_("This account already has an authenticator app."),
            )
        ]

    @property
    def key(self) -> bytes:
        return bytes.fromhex(decrypt_secret(self.secret, purpose=TOTP_PURPOSE))

    @property
    def base32_key(self) -> str:
        return b32encode(self.key).decode().rstrip("=")

    @property
    def config_url(self) -> str:
        """The otpauth: address that authenticator apps read from a QR code."""
        issuer = settings.OTP_TOTP_ISSUER
        label = quote(f"{issuer}:{self.user.get_username()}")
        query = urlencode({"secret": self.base32_key, "issuer": issuer, "digits": TOTP_DIGITS})
        return f"otpauth://totp/{label}?{query}"

    def verify_token(self, token: str) -> bool:
        """Check a code and remember it; call it with the row locked, or two may use one code."""
        if not self.verify_is_allowed()[0]:
            return False
        totp = TOTP(self.key, digits=TOTP_DIGITS)
        totp.time = time.time()
        well_formed = token.isascii() and token.isdecimal() and len(token) == TOTP_DIGITS
        if not (well_formed and totp.verify(int(token), _TOLERANCE, self.last_t + 1)):
            self.throttle_increment()
            return False
        self.last_t = totp.t()
        self.last_used_at = timezone.now()
        self.throttle_reset()
        return True

    def throttle_increment(self, commit: bool = True) -> None:
        super().throttle_increment(commit=False)
        count: int = self.throttling_failure_count  # type: ignore[has-type]
        self.throttling_failure_count = min(count, _MAX_COUNTED_FAILURES)
        if commit:
            self.save()

    def get_throttle_factor(self) -> int:
        return 1


class RecoveryCode(models.Model):
    """A code for the day the phone is lost: stored hashed, good for one sign-in."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="recovery_codes",
        editable=False,
    )
    digest = models.CharField(_("keyed hash"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once_a_user")
        ]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class LiveDemoSessions(DeviceManager):
    """Only what may still count: within the hour, of a demo account, while demo mode is on."""

    def get_queryset(self) -> models.QuerySet:
        sessions = super().get_queryset().filter(expires_at__gt=timezone.now(), user__is_demo=True)
        return sessions if settings.DEMO_MODE else sessions.none()


class Demo2FASession(Device):
    """A demo code accepted in place of an authenticator app, for an hour.

    A row and not a flag in memory, so that it survives a restart. django-otp loads it from
    `objects` on every request, hence an expired one, or any once demo mode is off, is not there.
    """

    ip = models.GenericIPAddressField(_("address"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"), editable=False)

    everything: ClassVar[models.Manager] = models.Manager()
    objects: ClassVar[models.Manager] = LiveDemoSessions()

    class Meta:
        verbose_name = _("demo 2FA session")
        verbose_name_plural = _("demo 2FA sessions")
        indexes: ClassVar = [
            # the nightly sweep of expired rows
            models.Index(fields=["expires_at"], name="demo2fasession_expiry")
        ]
        permissions: ClassVar = [("purge_demo", _("Can remove all demo data"))]


class UserSession(models.Model):
    """Whose browser session a session key is, from where and since when.

    Django's own table knows only the key; without this one nobody could list or end them.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="web_sessions",
        editable=False,
    )
    session_key = models.CharField(_("session key"), max_length=40, unique=True, editable=False)
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True, editable=False)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    last_seen_at = models.DateTimeField(_("last seen at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("web session")
        verbose_name_plural = _("web sessions")
        indexes: ClassVar = [
            # sessions of one account, newest first
            models.Index(fields=["user", "-last_seen_at"], name="usersession_by_user")
        ]
        permissions: ClassVar = [("end_member_sessions", _("Can log every member out"))]

    def __str__(self) -> str:
        return f"session {self.pk}"
