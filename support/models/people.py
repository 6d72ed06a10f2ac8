"""Who takes tickets, who is looking at one, and what the customer thought of it."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from support.models.tickets import Ticket
from support.querysets.people import TicketParticipantQuerySet


class AgentState(models.Model):
    """Whether an agent takes tickets now, how many, and whose turn it is."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="agent_state",
    )
    is_available = models.BooleanField(_("takes tickets"), default=True)
    capacity = models.PositiveIntegerField(
        _("most open tickets"), null=True, blank=True, help_text=_("Empty means no limit.")
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        help_text=_("Whose days reports show; empty: the place's."),
    )
    last_assigned_at = models.DateTimeField(_("last given one"), null=True, blank=True)

    class Meta:
        verbose_name = _("agent's state")
        verbose_name_plural = _("agents' states")

    def __str__(self) -> str:
        return str(self.user_id)


class TicketPresence(models.Model):
    """Who has a ticket open now, so that two do not answer it."""

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="presences"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    seen_at = models.DateTimeField(_("seen at"))
    is_writing = models.BooleanField(_("writing"), default=False)

    class Meta:
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "user"],
                name="support_ticketpresence_once",
                violation_error_message=_("This presence is already noted."),
            )
        ]
        # Old rows are swept.
        indexes = [models.Index(fields=["seen_at"], name="presence_seen")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.user_id}"


class TicketParticipant(models.Model):
    """Somebody beside the requester whom the mail of a ticket names; may answer by mail."""

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="participants"
    )
    # No EmailField: mail comes from addresses that forms refuse (root@server).
    address = models.CharField(_("address"), max_length=254)
    name = models.CharField(_("name"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("added by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # The row stays: mail that names them again does not take them in again.
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    objects = TicketParticipantQuerySet.as_manager()

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "address"],
                name="support_ticketparticipant_once",
                violation_error_message=_("This address already takes part."),
            )
        ]

    def __str__(self) -> str:
        return self.address


class TicketRating(models.Model):
    """The customer's verdict after resolution."""

    ticket = models.OneToOneField(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="rating"
    )
    score = models.PositiveSmallIntegerField(
        _("score"), validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    comment = models.TextField(_("comment"), blank=True, max_length=2000)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assignee then"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    rated_at = models.DateTimeField(_("rated at"))

    class Meta:
        verbose_name = _("rating")
        verbose_name_plural = _("ratings")
        constraints = [
            models.CheckConstraint(
                condition=Q(score__gte=1, score__lte=5),
                name="support_ticketrating_one_to_five",
                violation_error_message=_("A rating is from 1 to 5."),
            )
        ]
        indexes = [models.Index(fields=["rated_at"], name="rating_at")]  # reports by period

    def __str__(self) -> str:
        return f"{self.ticket_id}: {self.score}"
