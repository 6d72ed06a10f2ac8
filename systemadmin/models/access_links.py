"""One-time links by which staff get back into their own account."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.querysets.access_links import AccessLinkQuerySet


class AccessLink(models.Model):
    """A link that was sent to the owner of an account; what the link says is signed, not stored."""

    class Purpose(models.TextChoices):
        PASSWORD = "password", _("New password")
        TWO_FACTOR = "two_factor", _("New second factor")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose.choices)
    address_digest = models.CharField(
        _("digest of the address"),
        max_length=64,
        help_text=_("Another address on file makes the link void."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    objects = AccessLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("one-time link")
        verbose_name_plural = _("one-time links")
        ordering = ["-id"]
        indexes = [
            # The link to write into a mail, and the removal of old ones.
            models.Index(fields=["user", "purpose", "-id"], name="access_link_user"),
            models.Index(fields=["expires_at"], name="access_link_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.user_id}"
