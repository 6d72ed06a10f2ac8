"""The journal that a member's event stream is read from, and the desk's own watermarks."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class StreamKind(models.TextChoices):
    """What happened, by the name the client sees."""

    MESSAGE = "message", _("Message")
    EDITED = "edited", _("Edited")
    HIDDEN = "hidden", _("Hidden")
    READ = "read", _("Read")


class StreamEvent(models.Model):
    """One thing that happened to one member, at one position of their own counter.

    Positions are handed out under the lock of the member's mailbox. A plain serial id would be
    visible out of order, and a client that resumes after 6 would never see a late 5. Positions have
    no gaps, so a gap between a cursor and the first event after it means that events were pruned.
    """

    pk = models.CompositePrimaryKey("user_id", "position")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    position = models.PositiveBigIntegerField(_("position"))
    kind = models.CharField(_("kind"), max_length=8, choices=StreamKind)
    # The journal lives for days, so it holds references without constraints: a message that
    # is gone by then is simply not sent.
    message = models.ForeignKey(
        "messaging.Message",
        verbose_name=_("message"),
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    peer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("peer"),
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # For `read`: who read, and up to where.
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("reader"),
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    seq = models.PositiveBigIntegerField(_("sequence number"), default=0)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("stream event")
        verbose_name_plural = _("stream events")
        indexes = [
            # Pruning: the oldest first.
            models.Index(fields=["created_at"], name="messaging_stream_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}/{self.position}"


class Watermark(models.Model):
    """How far a sweep over the messages has come."""

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    position = models.PositiveBigIntegerField(_("position"), default=0)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("watermark")
        verbose_name_plural = _("watermarks")

    def __str__(self) -> str:
        return self.name
