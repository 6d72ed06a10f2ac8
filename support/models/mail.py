"""Mail as it came and as it goes: nothing is parsed before it is stored, nothing sent twice."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from support.models.categories import Category
from support.models.replies import Reply
from support.models.tickets import Ticket
from support.querysets.mail import InboundQuerySet, OutboundQuerySet
from support.querysets.tickets import ConfinedQuerySet
from systemadmin.foundation.models import TimestampedModel
from systemadmin.foundation.outbox import OutboxModel, OutboxStatus


class Mailbox(TimestampedModel):
    """An address of the desk, and where its mail is fetched."""

    address = models.EmailField(_("address"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    category = models.ForeignKey(
        Category,
        verbose_name=_("category of its tickets"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    signature = models.TextField(
        _("signature"),
        blank=True,
        max_length=2000,
        help_text=_("Markdown, below each answer. {{agent}} is the name of whoever answers."),
    )
    quotes_history = models.BooleanField(
        _("quote what was said before"),
        default=False,
        help_text=_("Below each answer, what its recipient was sent or wrote before."),
    )
    is_confined = models.BooleanField(
        _("only for named readers"),
        default=False,
        help_text=_("Its tickets are read by the agents named below and by nobody else."),
    )
    readers = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("readers"),
        blank=True,
        related_name="+",
        help_text=_("Who reads its tickets where only named readers do."),
    )
    host = models.CharField(
        _("IMAP host"), max_length=255, blank=True, help_text=_("Empty: mail comes by the pipe.")
    )
    port = models.PositiveIntegerField(_("port"), default=993)
    use_tls = models.BooleanField(_("TLS"), default=True)
    username = models.CharField(_("user name"), max_length=255, blank=True)
    # Encrypted under SECRET_KEY; a dump of the table opens no mailbox.
    sealed_password = models.TextField(_("password"), blank=True, editable=False)
    folder = models.CharField(_("folder"), max_length=100, default="INBOX")
    done_folder = models.CharField(
        _("folder for fetched mail"),
        max_length=100,
        blank=True,
        help_text=_("Empty: fetched mail is marked as seen and stays."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    fetched_at = models.DateTimeField(_("last fetched"), null=True, blank=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, editable=False)

    objects = ConfinedQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        ordering = ["address"]

    def __str__(self) -> str:
        return self.address


class InboundMessage(TimestampedModel):
    """A mail as its bytes came, and what became of it."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        PROCESSED = "processed", _("On a ticket")
        IGNORED = "ignored", _("No person's mail")
        DUPLICATE = "duplicate", _("Came before")
        FAILED = "failed", _("Could not be read")

    mailbox = models.ForeignKey(
        Mailbox, verbose_name=_("mailbox"), on_delete=models.PROTECT, related_name="inbound"
    )
    raw = models.BinaryField(_("raw bytes"))
    size = models.PositiveBigIntegerField(_("bytes"))
    message_id = models.CharField(_("Message-ID"), max_length=500, blank=True)
    # A Message-ID alone is not unique: senders reuse it, and some send none.
    content_hash = models.CharField(_("content hash"), max_length=64)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RECEIVED
    )
    kind = models.CharField(_("kind"), max_length=20, blank=True)
    sender = models.CharField(_("sender"), max_length=254, blank=True)
    subject = models.CharField(_("subject"), max_length=255, blank=True)
    # Whom Reply-To names instead of the sender; answers go there.
    reply_to = models.CharField(_("answers to"), max_length=254, blank=True, default="")
    reason = models.TextField(_("reason"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    ticket = models.ForeignKey(
        Ticket,
        verbose_name=_("ticket"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="inbound",
    )
    reply = models.OneToOneField(
        Reply,
        verbose_name=_("reply"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="inbound",
    )
    # The rule that keeps it from opening a ticket, while that rule stands.
    blocked_by = models.ForeignKey(
        "support.BlockedSender",
        verbose_name=_("held by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="held",
    )
    # It mentions that ticket, and its sender is not on it: only a person may join the two.
    may_belong_to = models.ForeignKey(
        Ticket,
        verbose_name=_("may belong to"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = InboundQuerySet.as_manager()

    # Masked for staff without `view_personal_data`; see foundation/personal_data.py.
    personal_fields = ("sender", "reply_to")
    personal_texts = ("reason",)

    class Meta:
        verbose_name = _("incoming mail")
        verbose_name_plural = _("incoming mail")
        ordering = ["-id"]
        permissions = [("process_inboundmessage", _("Can process incoming mail again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "message_id", "content_hash"],
                name="support_inboundmessage_once",
                violation_error_message=_("This mail is already here."),
            )
        ]
        indexes = [
            # What waits to be processed, and what failed, for the sweep and the list.
            models.Index(
                fields=["status", "id"],
                name="inbound_waiting",
                condition=Q(status__in=["received", "failed"]),
            ),
            # The same mail in another mailbox.
            models.Index(fields=["content_hash"], name="inbound_content"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.subject}"


class InboundReference(models.Model):
    """A message id of a ticket's thread: of a mail sent or received, or only mentioned."""

    message_id = models.CharField(_("Message-ID"), max_length=500)
    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="references"
    )
    # Mentioning an id proves nothing: everybody who got a newsletter may answer it.
    is_mention = models.BooleanField(_("only mentioned"), default=False)

    class Meta:
        verbose_name = _("thread reference")
        verbose_name_plural = _("thread references")
        constraints = [
            models.UniqueConstraint(
                fields=["message_id", "ticket"],
                name="support_inboundreference_once",
                violation_error_message=_("This reference is already noted."),
            )
        ]

    def __str__(self) -> str:
        return self.message_id


class OutboundMessage(OutboxModel):
    """A mail to a customer, written with the reply and sent by the queue."""

    class Kind(models.TextChoices):
        REPLY = "reply", _("Reply")
        RECEIVED = "received", _("We have received your message")
        RESOLVED = "resolved", _("Resolved, please rate")

    class Status(models.TextChoices):
        PENDING = OutboxStatus.PENDING.value, OutboxStatus.PENDING.label
        SENT = OutboxStatus.SENT.value, OutboxStatus.SENT.label
        FAILED = OutboxStatus.FAILED.value, OutboxStatus.FAILED.label
        SKIPPED = OutboxStatus.SKIPPED.value, OutboxStatus.SKIPPED.label
        # It went out and came back.
        BOUNCED = "bounced", _("Bounced")

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="outbound"
    )
    reply = models.ForeignKey(
        Reply,
        verbose_name=_("reply"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="outbound",
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    recipient = models.CharField(_("recipient"), max_length=254)
    key = models.CharField(_("key"), max_length=150, unique=True)
    message_id = models.CharField(_("Message-ID"), max_length=255, unique=True)
    in_reply_to = models.CharField(_("In-Reply-To"), max_length=500, blank=True)
    subject = models.CharField(_("subject"), max_length=300)
    text = models.TextField(_("text"))
    html = models.TextField(_("HTML"), blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )

    objects = OutboundQuerySet.as_manager()

    # Masked for staff without `view_personal_data`; see foundation/personal_data.py.
    personal_fields = ("recipient",)
    personal_texts = ("last_error", "text", "html", "key")

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mail")
        ordering = ["-id"]
        permissions = [("retry_outboundmessage", _("Can send failed mail again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["reply", "recipient"],
                name="support_outboundmessage_once_per_recipient",
                condition=Q(reply__isnull=False),
                violation_error_message=_("This reply already goes to this address."),
            )
        ]
        indexes = [
            # The sweep of what is due, and the dead letters.
            models.Index(
                fields=["status", "next_attempt_at"],
                name="outbound_due",
                condition=~Q(status="sent"),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.subject}"
