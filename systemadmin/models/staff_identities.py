"""Whom an identity provider means by its subject: links from there to accounts of staff."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, DeviceManager

# Long enough for any subject: OpenID Connect allows 255 ASCII characters.
LONGEST_SUBJECT = 255


class Identities(models.Manager):
    """All of them, whichever provider is set now."""

    def shown(self) -> models.QuerySet:
        """Return those that can be cut: of erased accounts only a hash is left, and stays."""
        return self.filter(user__erased_at=None).select_related("user")


class IdentitiesInForce(DeviceManager):
    """Only those of the provider that is set now: another one's word counts no more."""

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().filter(issuer=settings.STAFF_OIDC_ISSUER or None)


class StaffIdentity(Device):
    """The account that belongs to a subject of an issuer.

    It is a device to django-otp: a session whose second factor the provider vouched for names it,
    and stops counting when the link is gone or the provider is another one.
    """

    personal_fields = ("subject",)

    issuer = models.CharField(_("issuer"), max_length=255, editable=False)
    subject = models.CharField(
        _("subject at the provider"), max_length=LONGEST_SUBJECT, editable=False
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    everything: ClassVar[Identities] = Identities()
    objects: ClassVar[models.Manager] = IdentitiesInForce()

    class Meta:
        verbose_name = _("identity at the provider")
        verbose_name_plural = _("identities at the provider")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["issuer", "subject"],
                name="staff_identity_once",
                violation_error_message=_("This identity belongs to an account already."),
            ),
            models.UniqueConstraint(
                fields=["issuer", "user"],
                name="staff_identity_one_an_account",
                violation_error_message=_("This account has an identity at the provider already."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_in_force(self) -> bool:
        """Whether the provider that is set now is the one that gave it."""
        return self.issuer == settings.STAFF_OIDC_ISSUER
