"""Outbox of notices to people: written with the change, sent by the queue."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.outbox import OutboxModel


class Notification(OutboxModel):
    """One notice to one account through one channel, sent once."""

    # Masked for staff without `view_personal_data`; see foundation/personal_data.py.
    personal_fields = ("address", "reply_to")
    personal_texts = ("subject", "body", "last_error")

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        TELEGRAM = "telegram", _("Telegram")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="notifications",
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    kind = models.CharField(_("kind"), max_length=100)
    address = models.EmailField(
        _("address"),
        blank=True,
        help_text=_("Where the e-mail goes; empty: to the address of the account."),
    )
    reply_to = models.EmailField(
        _("answers to"), blank=True, help_text=_("Where an answer to the e-mail goes.")
    )
    key = models.CharField(_("key"), max_length=200)
    subject = models.CharField(_("subject"), max_length=300)
    body = models.TextField(_("body"))

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "channel"],
                name="systemadmin_notification_once_per_channel",
                violation_error_message=_("This notice was already queued."),
            )
        ]
        # The sweep of what is due.
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="notification_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.channel}"
