"""A message, what it said before, and the file it carries."""

from django.conf import settings
from django.core.files.storage import Storage
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from messaging.querysets import MessageQuerySet
from systemadmin.foundation.files import PrivateStorage


class MessageKind(models.TextChoices):
    """Who wrote a message: a member, the team, or a broadcast."""

    MEMBER = "member", _("Member")
    SYSTEM = "system", _("Team")
    BROADCAST = "broadcast", _("Broadcast")


class Message(models.Model):
    """One message; its sequence number is its place in the conversation, without gaps."""

    conversation = models.ForeignKey(
        "messaging.Conversation",
        on_delete=models.CASCADE,
        related_name="messages",
        db_index=False,
        verbose_name=_("conversation"),
    )
    seq = models.PositiveBigIntegerField(_("sequence number"))
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("sender"),
    )
    kind = models.CharField(
        _("kind"), max_length=10, choices=MessageKind, default=MessageKind.MEMBER
    )
    body = models.TextField(_("body"), blank=True)
    # Chosen by the client: sending twice with one id is one message.
    client_id = models.CharField(_("client id"), max_length=64, null=True, blank=True)
    # 64 bits of the text without dressing, to recognise what is sent to many.
    fingerprint = models.BigIntegerField(_("fingerprint"), null=True)
    created_at = models.DateTimeField(_("sent at"))
    edited_at = models.DateTimeField(_("edited at"), null=True)
    erased_at = models.DateTimeField(_("erased at"), null=True)
    # Two people, so two columns: a table of its own would be a join on every page.
    is_hidden_for_sender = models.BooleanField(_("hidden for the sender"), default=False)
    is_hidden_for_recipient = models.BooleanField(_("hidden for the recipient"), default=False)
    broadcast = models.ForeignKey(
        "messaging.Broadcast",
        on_delete=models.PROTECT,
        null=True,
        related_name="messages",
        db_index=False,
        verbose_name=_("broadcast"),
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            # Also the pages of a conversation, forwards and backwards.
            models.UniqueConstraint(
                fields=["conversation", "seq"], name="messaging_message_seq_once"
            ),
            models.UniqueConstraint(
                fields=["sender", "client_id"],
                condition=Q(client_id__isnull=False),
                name="messaging_message_client_id_once",
                violation_error_message=_("A message with this client id was already sent."),
            ),
            # A broadcast reaches a member once, whatever happens to the workers.
            models.UniqueConstraint(
                fields=["broadcast", "conversation"],
                condition=Q(broadcast__isnull=False),
                name="messaging_message_broadcast_once",
            ),
        ]
        indexes = [
            # Quotas, repeated content, export: what one member sent lately.
            models.Index(fields=["sender", "-created_at"], name="messaging_message_by_sender"),
            # Figures, retention and the report to the risk engine.
            models.Index(fields=["created_at"], name="messaging_message_by_time"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def shown_attachment(self) -> "Attachment | None":
        """The file, unless the message was erased: under a legal hold files outlive that."""
        return None if self.erased_at else getattr(self, "attachment", None)

    @property
    def preview(self) -> str:
        """The first words, on one line."""
        text = " ".join(self.body.split())
        return text if len(text) <= 140 else text[:139] + "…"


class MessageRevision(models.Model):
    """What a message said before an edit."""

    message = models.ForeignKey(
        Message, verbose_name=_("message"), on_delete=models.CASCADE, related_name="revisions"
    )
    body = models.TextField(_("body"))
    replaced_at = models.DateTimeField(_("replaced at"))

    class Meta:
        verbose_name = _("earlier wording")
        verbose_name_plural = _("earlier wordings")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"#{self.pk}"


def private_storage() -> Storage:
    """Return a callable, so that the migration holds no path of this machine."""
    return PrivateStorage()


class Attachment(models.Model):
    """The file of a message, kept outside every public folder."""

    message = models.OneToOneField(
        Message, verbose_name=_("message"), on_delete=models.CASCADE, related_name="attachment"
    )
    file = models.FileField(
        _("file"), upload_to="messaging/%Y/%m", storage=private_storage, max_length=200
    )
    name = models.CharField(_("name"), max_length=150)
    content_type = models.CharField(_("content type"), max_length=100)
    size = models.PositiveIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")

    def __str__(self) -> str:
        return self.name
