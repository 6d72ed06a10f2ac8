"""How agents work through tickets: unsent texts, what each has read, and lists to come back to."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from support.models.categories import Category
from support.models.replies import Reply
from support.models.tickets import Priority, Status, Ticket
from support.querysets.work import SavedViewQuerySet
from systemadmin.foundation.models import VersionedModel


class ReplyDraft(VersionedModel):
    """What an agent has typed and not sent: one text for the customer, one for colleagues."""

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="drafts"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Reply.Kind.choices)
    body = models.TextField(_("body"))

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "user", "kind"],
                name="support_replydraft_once",
                violation_error_message=_("There is already a draft of this kind."),
            )
        ]
        indexes = [
            # Retention.
            models.Index(fields=["updated_at"], name="draft_updated")
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.user_id} {self.kind}"


class TicketRead(models.Model):
    """How far an agent has read a ticket; what came after is unread."""

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="readings"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    # A number, no key: the reply may move to another ticket by a split.
    up_to = models.PositiveBigIntegerField(_("last reply read"))
    read_at = models.DateTimeField(_("read at"))

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "user"],
                name="support_ticketread_once",
                violation_error_message=_("This reading is already noted."),
            )
        ]
        indexes = [
            # Retention.
            models.Index(fields=["read_at"], name="reading_at")
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.user_id} {self.up_to}"


class SavedView(VersionedModel):
    """A list of tickets to come back to: an agent's own, or shared with all of the desk."""

    class AssigneeFilter(models.TextChoices):
        ANYBODY = "", _("Anybody's")
        MINE = "mine", _("Mine")
        NOBODY = "nobody", _("Unassigned")

    class StatusFilter(models.TextChoices):
        OPEN = "open", _("Open")
        NEW = Status.NEW.value, Status.NEW.label
        IN_PROGRESS = Status.IN_PROGRESS.value, Status.IN_PROGRESS.label
        WAITING_CUSTOMER = Status.WAITING_CUSTOMER.value, Status.WAITING_CUSTOMER.label
        RESOLVED = Status.RESOLVED.value, Status.RESOLVED.label
        CLOSED = Status.CLOSED.value, Status.CLOSED.label

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    name = models.CharField(_("name"), max_length=40)
    is_shared = models.BooleanField(_("shared with the desk"), default=False)
    which = models.CharField(
        _("status"), max_length=20, choices=StatusFilter.choices, default=StatusFilter.OPEN
    )
    whose = models.CharField(
        _("assignee"), max_length=10, choices=AssigneeFilter.choices, blank=True, default=""
    )
    priority = models.CharField(
        _("priority"), max_length=10, choices=Priority.choices, blank=True, default=""
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
    )
    tag = models.CharField(_("tag"), max_length=50, blank=True, default="")
    words = models.CharField(_("words"), max_length=100, blank=True, default="")
    is_overdue = models.BooleanField(_("only overdue"), default=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                name="support_savedview_once",
                violation_error_message=_("You already have a view of this name."),
            )
        ]
        indexes = [
            # The shared ones, which every agent's list shows.
            models.Index(fields=["name"], name="savedview_shared", condition=Q(is_shared=True))
        ]

    def __str__(self) -> str:
        return self.name
