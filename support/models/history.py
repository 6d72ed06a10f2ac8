"""The history of a ticket."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from support.models.tickets import Ticket
from systemadmin.foundation.models import AppendOnlyModel


class TicketEvent(AppendOnlyModel):
    """One fact of a ticket's history; the clocks are computed from these."""

    class Kind(models.TextChoices):
        OPENED = "opened", _("opened")
        CUSTOMER_REPLY = "customer_reply", _("the customer wrote")
        STAFF_REPLY = "staff_reply", _("staff answered")
        NOTE = "note", _("internal note")
        EDITED = "edited", _("reply edited")
        STATUS = "status", _("status")
        PRIORITY = "priority", _("priority")
        CATEGORY = "category", _("category")
        SUBJECT = "subject", _("subject")
        ASSIGNEE = "assignee", _("assignee")
        TAGS = "tags", _("tags")
        TARGETS = "targets", _("service policy")
        BREACH = "breach", _("service target missed")
        MERGED = "merged", _("merged into another ticket")
        MERGED_IN = "merged_in", _("another ticket merged in")
        LINKED = "linked", _("linked")
        UNLINKED = "unlinked", _("link removed")
        SPLIT = "split", _("split off")
        RATED = "rated", _("rated")
        MAIL = "mail", _("mail")
        SPAM = "spam", _("marked as spam")
        NOT_SPAM = "not_spam", _("no spam after all")
        PARTICIPANTS = "participants", _("people taking part")
        SNOOZED = "snoozed", _("snoozed")

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="events"
    )
    at = models.DateTimeField(_("at"))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # Kept as written then: the history outlives the account.
    actor_name = models.CharField(_("actor's name"), max_length=150, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("ticket event")
        verbose_name_plural = _("ticket events")
        ordering = ["id"]
        # The history of one ticket in order, for its page and its clocks.
        indexes = [models.Index(fields=["ticket", "id"], name="event_ticket")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.kind}"
