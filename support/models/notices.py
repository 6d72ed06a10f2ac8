"""Notices of agents, the ways they are sent, and senders that the desk blocks."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from support.models.replies import Reply
from support.models.tickets import Ticket
from support.querysets.people import AgentNoticeQuerySet, BlockedSenderQuerySet


class AgentEvent(models.TextChoices):
    """What an agent may want to hear of."""

    NEW = "new", _("A new ticket")
    ASSIGNED = "assigned", _("A ticket is given to me")
    REPLIED = "replied", _("The customer writes on a ticket of mine")
    MENTIONED = "mentioned", _("A colleague names me in a note")
    BOUNCED = "bounced", _("An answer of mine came back")
    DUE = "due", _("A service target of a ticket of mine is missed")


class NoticePreference(models.Model):
    """By which ways one agent hears of one kind of event."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    event = models.CharField(_("event"), max_length=10, choices=AgentEvent.choices)
    on_page = models.BooleanField(_("in the page"), default=True)
    by_mail = models.BooleanField(_("by mail"), default=False)
    by_telegram = models.BooleanField(_("by Telegram"), default=False)

    class Meta:
        verbose_name = _("choice of notices")
        verbose_name_plural = _("choices of notices")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "event"],
                name="support_noticepreference_once",
                violation_error_message=_("There is a choice for this event already."),
            )
        ]
        # Who wants to hear of each new ticket.
        indexes = [models.Index(fields=["event", "user"], name="preference_event")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.event}"


class AgentNotice(models.Model):
    """One notice for one agent; a mail or Telegram message carries several."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="+"
    )
    reply = models.ForeignKey(
        Reply, verbose_name=_("reply"), null=True, on_delete=models.CASCADE, related_name="+"
    )
    event = models.CharField(_("event"), max_length=10, choices=AgentEvent.choices)
    # The cause: the same one makes one notice, however often it is reported.
    key = models.CharField(_("key"), max_length=100)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    on_page = models.BooleanField(_("in the page"), default=True)
    by_mail = models.BooleanField(_("by mail"), default=False)
    by_telegram = models.BooleanField(_("by Telegram"), default=False)
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True)
    # Set by whichever worker puts it into a mail: no two do.
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    objects = AgentNoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice to an agent")
        verbose_name_plural = _("notices to agents")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "event", "key"],
                name="support_agentnotice_once_per_cause",
                violation_error_message=_("This agent was told already."),
            )
        ]
        indexes = [
            # An agent's own list, newest first.
            models.Index(fields=["user", "-id"], name="agent_notice_user"),
            # What waits to be put into a mail.
            models.Index(
                fields=["created_at"],
                name="agent_notice_unsent",
                condition=Q(sent_at__isnull=True) & (Q(by_mail=True) | Q(by_telegram=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.event} {self.ticket_id}"


class BlockedSender(models.Model):
    """An address, or with a leading @ a domain, whose mail opens no ticket."""

    # See foundation/personal_data.py.
    personal_fields = ("address",)
    personal_texts = ("reason",)

    address = models.CharField(
        _("address or @domain"),
        max_length=254,
        unique=True,
        help_text=_("ana@example.com, or @example.com for all of a domain and of those below it."),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("blocked by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # The ticket that was marked as spam; taking the mark back ends the block too.
    ticket = models.ForeignKey(
        Ticket,
        verbose_name=_("ticket"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = BlockedSenderQuerySet.as_manager()

    class Meta:
        verbose_name = _("blocked sender")
        verbose_name_plural = _("blocked senders")
        ordering = ["-id"]

    def __str__(self) -> str:
        # Not the address: it would stand unmasked in titles and labels.
        return f"#{self.pk}"
