"""Links by which customers fetch files that were too large for the mail."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from support.models.mail import OutboundMessage
from support.models.replies import Attachment


class FileLink(models.Model):
    """One file offered in one mail; the address is signed when the mail is composed, not stored."""

    attachment = models.ForeignKey(
        Attachment, verbose_name=_("file"), on_delete=models.CASCADE, related_name="links"
    )
    message = models.ForeignKey(
        OutboundMessage, verbose_name=_("mail"), on_delete=models.CASCADE, related_name="file_links"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("revoked by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # The mail names the file and offers no address: it may be unsafe.
    is_withheld = models.BooleanField(_("withheld"), default=False)
    downloads = models.PositiveIntegerField(_("downloads"), default=0)
    last_download_at = models.DateTimeField(_("last download"), null=True, blank=True)

    class Meta:
        verbose_name = _("link to a file")
        verbose_name_plural = _("links to files")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["attachment", "message"],
                name="support_filelink_once_per_mail",
                violation_error_message=_("This mail already offers this file."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.attachment_id} {self.message_id}"
