"""Blocks and reports: how members keep one another away, and call the team."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from messaging.querysets import ReportQuerySet
from systemadmin.foundation.models import VersionedModel


class Block(models.Model):
    """The blocked member can no longer write to the blocker."""

    blocker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("blocker"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    # Without a constraint: a block of an account that does not exist is kept like any other, or
    # blocking would tell which accounts there are.
    blocked = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("blocked"),
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        constraints = [
            models.UniqueConstraint(fields=["blocker", "blocked"], name="messaging_block_once"),
            models.CheckConstraint(
                condition=~Q(blocker=F("blocked")),
                name="messaging_block_not_oneself",
                violation_error_message=_("You cannot block yourself."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blocker_id} -> {self.blocked_id}"


class ReportReason(models.TextChoices):
    """What a member says is wrong."""

    SPAM = "spam", _("Spam")
    FRAUD = "fraud", _("Fraud or scam")
    HARASSMENT = "harassment", _("Harassment")
    ILLEGAL = "illegal", _("Illegal goods or acts")
    OTHER = "other", _("Something else")


class ReportStatus(models.TextChoices):
    """Where the team is with it."""

    OPEN = "open", _("Open")
    UPHELD = "upheld", _("Upheld")
    DISMISSED = "dismissed", _("Dismissed")


class MessageReport(VersionedModel):
    """A reported message, with the excerpt as it read at that moment: all that staff see of it."""

    # Retention may take the message; the excerpt stays until the report itself expires.
    message = models.ForeignKey(
        "messaging.Message",
        on_delete=models.SET_NULL,
        null=True,
        related_name="reports",
        verbose_name=_("message"),
    )
    conversation = models.ForeignKey(
        "messaging.Conversation",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("conversation"),
    )
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("reporter"),
    )
    reported = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("reported member"),
    )
    reason = models.CharField(_("reason"), max_length=12, choices=ReportReason)
    note = models.TextField(_("note"), blank=True)
    excerpt = models.JSONField(_("excerpt"), default=list)
    status = models.CharField(
        _("status"), max_length=10, choices=ReportStatus, default=ReportStatus.OPEN
    )
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("handled by"),
    )
    handled_at = models.DateTimeField(_("handled at"), null=True, blank=True)
    resolution = models.TextField(_("resolution"), blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("message report")
        verbose_name_plural = _("message reports")
        constraints = [
            models.UniqueConstraint(
                fields=["message", "reporter"],
                condition=Q(message__isnull=False),
                name="messaging_report_once_per_member",
                violation_error_message=_("You have already reported this message."),
            ),
            models.CheckConstraint(
                condition=Q(status="open") | Q(handled_at__isnull=False),
                name="messaging_report_handled_has_moment",
                violation_error_message=_("A closed report says when it was closed."),
            ),
        ]
        indexes = [
            # The queue: open ones, oldest first.
            models.Index(
                fields=["created_at"],
                condition=Q(status="open"),
                name="messaging_report_open",
            ),
        ]
        permissions = [("handle_messagereport", _("Can uphold or dismiss message reports"))]

    def __str__(self) -> str:
        return f"#{self.pk}"
