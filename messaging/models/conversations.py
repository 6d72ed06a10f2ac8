"""Who talks with whom, and what each of them has read."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from messaging.querysets import ConversationQuerySet, ParticipantQuerySet
from systemadmin.foundation.models import TimestampedModel


class Conversation(TimestampedModel):
    """The one thread of two members; its row lock hands out the sequence numbers."""

    lower = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("one member"),
    )
    higher = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("other member"),
    )
    last_seq = models.PositiveBigIntegerField(_("last sequence number"), default=0)
    # The preview, by reference: a copied text would outlive an edit or an erasure. No database
    # constraint: deleting a message would have to search for rows that point at it.
    last_message = models.ForeignKey(
        "messaging.Message",
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("last message"),
    )
    last_message_at = models.DateTimeField(_("last message at"), null=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            models.UniqueConstraint(
                fields=["lower", "higher"],
                name="messaging_conversation_one_per_pair",
                violation_error_message=_("These two members already have a conversation."),
            ),
            models.CheckConstraint(
                condition=Q(lower__lt=F("higher")),
                name="messaging_conversation_pair_in_order",
                violation_error_message=_("A conversation needs two different members."),
            ),
        ]
        permissions = [
            ("read_conversation", _("Can read a conversation around a report, with a reason")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Participant(models.Model):
    """One member's view of a conversation: the row behind a line of the conversation list."""

    conversation = models.ForeignKey(
        Conversation,
        verbose_name=_("conversation"),
        on_delete=models.CASCADE,
        related_name="participants",
        db_index=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    peer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("peer"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    last_read_seq = models.PositiveBigIntegerField(_("read up to"), default=0)
    unread_count = models.PositiveIntegerField(_("unread"), default=0)
    is_muted = models.BooleanField(_("muted"), default=False, db_default=False)
    # The newest message this member still sees; see Conversation.last_message.
    last_message = models.ForeignKey(
        "messaging.Message",
        verbose_name=_("last message"),
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    last_activity_at = models.DateTimeField(_("last activity"))

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "user"], name="messaging_participant_once"
            ),
            # Also finds the conversation with one member.
            models.UniqueConstraint(fields=["user", "peer"], name="messaging_participant_per_peer"),
        ]
        indexes = [
            # The conversation list: one range, newest first, of what still shows something.
            models.Index(
                fields=["user", "-last_activity_at", "-id"],
                condition=Q(last_message__isnull=False),
                name="messaging_participant_list",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} / {self.conversation_id}"


class Mailbox(models.Model):
    """One row a member: the unread total, and the counter that orders their event stream.

    Its lock comes before every other lock of the desk, lower user first, so that no two
    writers can wait for each other.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="mailbox",
    )
    unread_count = models.PositiveIntegerField(_("unread"), default=0)
    position = models.PositiveBigIntegerField(_("stream position"), default=0)
    notice_due_at = models.DateTimeField(_("notice due at"), null=True)
    notified_at = models.DateTimeField(_("last notice at"), null=True)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        permissions = [("erase_messages", _("Can erase everything a member wrote"))]
        indexes = [
            # The sweep for unread notices reads only what is due.
            models.Index(
                fields=["notice_due_at"],
                condition=Q(notice_due_at__isnull=False),
                name="messaging_mailbox_notice_due",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user_id)


class Preferences(TimestampedModel):
    """What a member wants: who may write, and how to hear of unread messages."""

    class Audience(models.TextChoices):
        EVERYONE = "everyone", _("Everyone")
        VERIFIED = "verified", _("Verified members")
        CONTACTS = "contacts", _("Members I have written to")
        NOBODY = "nobody", _("Nobody")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="messaging_preferences",
    )
    who_may_write = models.CharField(
        _("who may write"), max_length=12, choices=Audience, default=Audience.EVERYONE
    )
    email_notices = models.BooleanField(_("notices by e-mail"), default=True)
    telegram_notices = models.BooleanField(_("notices by Telegram"), default=True)
    notice_delay_minutes = models.PositiveIntegerField(
        _("notice after minutes"), null=True, blank=True
    )
    urgent_by_telegram = models.BooleanField(_("urgent broadcasts by Telegram"), default=True)
    promotions = models.BooleanField(_("promotional broadcasts"), default=True)

    class Meta:
        verbose_name = _("messaging preferences")
        verbose_name_plural = _("messaging preferences")

    def __str__(self) -> str:
        return str(self.user_id)
