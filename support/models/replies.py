"""What was said on a ticket, to the customer or among staff, and the files with it."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from support.models.tickets import Ticket
from support.querysets.replies import AttachmentQuerySet, ReplyQuerySet
from systemadmin.foundation.files import PrivateStorage
from systemadmin.foundation.models import TimestampedModel


class Reply(TimestampedModel):
    """One message of the conversation; internal ones never leave the staff side."""

    class Kind(models.TextChoices):
        PUBLIC = "public", _("Public reply")
        INTERNAL = "internal", _("Internal note")

    class Source(models.TextChoices):
        API = "api", _("App")
        ADMIN = "admin", _("Admin")
        EMAIL = "email", _("E-mail")
        SYSTEM = "system", _("System")

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="replies"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.PUBLIC)
    is_from_customer = models.BooleanField(_("from the customer"), default=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("author"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="support_replies",
    )
    author_name = models.CharField(_("author's name"), max_length=150, blank=True)
    body = models.TextField(_("body"))
    # Every word of a mail of which `body` shows only what is new; empty where both are the same.
    original_text = models.TextField(_("original text"), blank=True, default="")
    # Safe HTML of a mail, its pictures by Content-ID; see mail_safe_html.py.
    original_html = models.TextField(_("original HTML"), blank=True, default="")
    source = models.CharField(
        _("source"), max_length=10, choices=Source.choices, default=Source.API
    )
    client_key = models.CharField(_("client key"), max_length=100, null=True, blank=True)
    template = models.ForeignKey(
        "support.ReplyTemplate",
        verbose_name=_("template"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    edited_at = models.DateTimeField(_("edited at"), null=True, blank=True)
    # Where it was written before a merge or a split moved it.
    origin = models.ForeignKey(
        Ticket,
        verbose_name=_("written on"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    said_at = models.DateTimeField(_("said at"))

    objects = ReplyQuerySet.as_manager()

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        ordering = ["said_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["author", "client_key"],
                name="support_reply_once_per_client_key",
                violation_error_message=_("This reply was already sent."),
            ),
            models.CheckConstraint(
                condition=Q(is_from_customer=False) | Q(kind="public"),
                name="support_reply_customers_write_in_public",
                violation_error_message=_("Only staff write internal notes."),
            ),
        ]
        # The conversation of one ticket in the order it was said.
        indexes = [models.Index(fields=["ticket", "said_at", "id"], name="reply_ticket")]

    def __str__(self) -> str:
        return f"{self.ticket_id}/{self.pk}"

    @property
    def is_internal(self) -> bool:
        return self.kind == self.Kind.INTERNAL

    @property
    def has_original(self) -> bool:
        """Whether the mail said more than is shown first, or had HTML."""
        html_length = getattr(self, "html_length", None)
        has_html = bool(self.original_html if html_length is None else html_length)
        return bool(self.original_text) or has_html


class ReplyRevision(models.Model):
    """What a reply said before an edit: nothing that was said is lost."""

    reply = models.ForeignKey(
        Reply, verbose_name=_("reply"), on_delete=models.CASCADE, related_name="revisions"
    )
    body = models.TextField(_("body"))
    replaced_at = models.DateTimeField(_("replaced at"), auto_now_add=True)
    replaced_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("replaced by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("earlier text")
        verbose_name_plural = _("earlier texts")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.reply_id} {self.replaced_at:%Y-%m-%d %H:%M}"


def attachment_path(attachment: "Attachment", name: str) -> str:
    """Return a random name: the sender's own is only ever shown, never a path."""
    return f"support/{secrets.token_hex(2)}/{secrets.token_hex(16)}"


class Attachment(models.Model):
    """A file that came with a reply, kept where no web server serves it."""

    reply = models.ForeignKey(
        Reply, verbose_name=_("reply"), on_delete=models.CASCADE, related_name="attachments"
    )
    file = models.FileField(
        _("file"), storage=PrivateStorage, upload_to=attachment_path, max_length=200
    )
    name = models.CharField(_("name"), max_length=255)
    content_type = models.CharField(_("type"), max_length=100)
    size = models.PositiveBigIntegerField(_("bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    # Of a picture that the HTML of its mail shows in place.
    content_id = models.CharField(_("Content-ID"), max_length=255, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name
