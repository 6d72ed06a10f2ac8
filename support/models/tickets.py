"""The ticket, its number, its links to other tickets and its words for search."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from support import lifecycle
from support.models.categories import Category, Tag
from support.querysets.tickets import TicketQuerySet
from systemadmin.foundation.display import display_name
from systemadmin.foundation.models import VersionedModel


class Status(models.TextChoices):
    """Ticket status. The list is fixed: clocks and rules depend on each status."""

    NEW = lifecycle.NEW, _("New")
    IN_PROGRESS = lifecycle.IN_PROGRESS, _("In progress")
    WAITING_CUSTOMER = lifecycle.WAITING_CUSTOMER, _("Waiting for the customer")
    RESOLVED = lifecycle.RESOLVED, _("Resolved")
    CLOSED = lifecycle.CLOSED, _("Closed")


class Priority(models.TextChoices):
    """Ticket priority."""

    LOW = "low", _("Low")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High")
    URGENT = "urgent", _("Urgent")


class TicketCounter(models.Model):
    """The last number given out in a year; its row is the lock."""

    year = models.PositiveIntegerField(_("year"), primary_key=True)
    last = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("ticket counter")
        verbose_name_plural = _("ticket counters")

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class Ticket(VersionedModel):
    """One matter of one person, from the first word to the last."""

    class Channel(models.TextChoices):
        API = "api", _("App")
        STAFF = "staff", _("Staff")
        EMAIL = "email", _("E-mail")

    number = models.CharField(_("number"), max_length=20, unique=True, editable=False)
    # Which ticket of which other desk this was: `source:id`.
    external_id = models.CharField(
        _("external id"), max_length=200, null=True, blank=True, unique=True, editable=False
    )
    subject = models.CharField(_("subject"), max_length=255)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("requester"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="tickets",
    )
    requester_email = models.CharField(
        _("requester's e-mail"),
        max_length=254,
        blank=True,
        # Looser than EmailField: people write from root@server, a..b@host and josé@host.
        validators=[
            RegexValidator(r"^[^@\s\x00-\x1f]([^@\x00-\x1f]*[^@\s\x00-\x1f])?@[^@\s\x00-\x1f]+\Z")
        ],
    )
    requester_name = models.CharField(_("requester's name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=2, default="en")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assignee"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="assigned_tickets",
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="tickets",
    )
    # Where its mail came in: answers leave from there, and its readers read the ticket.
    mailbox = models.ForeignKey(
        "support.Mailbox",
        verbose_name=_("mailbox"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="tickets",
    )
    tags = models.ManyToManyField(Tag, verbose_name=_("tags"), blank=True, related_name="tickets")
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.NEW
    )
    priority = models.CharField(
        _("priority"), max_length=10, choices=Priority.choices, default=Priority.MEDIUM
    )
    # Words do not sort by urgency; the database keeps their rank so that an index can.
    priority_rank = models.GeneratedField(
        verbose_name=_("priority rank"),
        expression=Case(
            When(priority="urgent", then=Value(4)),
            When(priority="high", then=Value(3)),
            When(priority="medium", then=Value(2)),
            default=Value(1),
            output_field=models.PositiveSmallIntegerField(),
        ),
        output_field=models.PositiveSmallIntegerField(_("rank of priority")),
        db_persist=True,
    )
    channel = models.CharField(
        _("channel"), max_length=10, choices=Channel.choices, default=Channel.API
    )
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged_tickets",
    )

    sla_version = models.ForeignKey(
        "support.SlaPolicyVersion",
        verbose_name=_("policy in force"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    first_response_due_at = models.DateTimeField(_("first response due"), null=True, blank=True)
    first_responded_at = models.DateTimeField(_("first response"), null=True, blank=True)
    next_response_due_at = models.DateTimeField(_("next response due"), null=True, blank=True)
    resolution_due_at = models.DateTimeField(_("resolution due"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    next_due_at = models.DateTimeField(_("next due"), null=True, blank=True)
    overdue_since = models.DateTimeField(_("overdue since"), null=True, blank=True)
    first_response_seconds = models.PositiveBigIntegerField(
        _("working seconds to the first response"), null=True, blank=True
    )
    resolution_seconds = models.PositiveBigIntegerField(
        _("working seconds to the resolution"), null=True, blank=True
    )

    spam_at = models.DateTimeField(_("marked as spam"), null=True, blank=True)
    # Set aside until then, or until the customer writes; the clocks go on.
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    last_reply = models.ForeignKey(
        "support.Reply",
        verbose_name=_("last reply"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    reply_count = models.PositiveIntegerField(_("replies"), default=0)
    last_customer_reply_at = models.DateTimeField(_("customer wrote"), null=True, blank=True)
    last_staff_reply_at = models.DateTimeField(_("staff wrote"), null=True, blank=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        ordering = ["-id"]
        permissions = [
            ("view_unassigned_tickets", _("Can see tickets nobody has taken")),
            ("view_confined_tickets", _("Can see tickets that only named readers see")),
            ("view_all_tickets", _("Can see tickets of other agents")),
            ("reply_ticket", _("Can answer tickets and write notes")),
            ("assign_ticket", _("Can give tickets to other agents")),
            ("merge_ticket", _("Can merge, split and link tickets")),
            ("view_reports", _("Can see the reports of the desk")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=lifecycle.STATUSES),
                name="support_ticket_status_is_known",
                violation_error_message=_("This is not a status."),
            ),
            models.CheckConstraint(
                condition=Q(priority__in=Priority.values),
                name="support_ticket_priority_is_known",
                violation_error_message=_("This is not a priority."),
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(status=lifecycle.CLOSED),
                name="support_ticket_merged_is_closed",
                violation_error_message=_("A merged ticket is closed."),
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=models.F("id")),
                name="support_ticket_not_merged_into_itself",
                violation_error_message=_("A ticket cannot be merged into itself."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=lifecycle.DONE_STATUSES, resolved_at__isnull=False)
                | Q(status__in=lifecycle.OPEN_STATUSES, resolved_at__isnull=True),
                name="support_ticket_done_has_its_moment",
                violation_error_message=_("A resolved ticket says since when."),
            ),
        ]
        indexes = [
            # The staff list by status, newest first, and the count of each queue.
            models.Index(fields=["status", "-id"], name="ticket_status"),
            # "Mine" and each agent's list.
            models.Index(fields=["assignee", "status", "-id"], name="ticket_assignee"),
            # The unassigned queue: few rows among the many closed ones.
            models.Index(
                fields=["-id"],
                name="ticket_unassigned",
                condition=Q(assignee__isnull=True, status__in=lifecycle.OPEN_STATUSES),
            ),
            # The same in the workspace, due first.
            models.Index(
                Coalesce("overdue_since", "next_due_at"),
                "id",
                name="ticket_unassigned_due",
                condition=Q(assignee__isnull=True, status__in=lifecycle.OPEN_STATUSES),
            ),
            # A member's own list and the account page.
            models.Index(fields=["requester", "-id"], name="ticket_requester"),
            models.Index(fields=["category", "-id"], name="ticket_category"),
            # ?ordering=updated_at and ?ordering=created_at, and the date filters.
            models.Index(fields=["updated_at", "id"], name="ticket_updated"),
            models.Index(fields=["created_at", "id"], name="ticket_created"),
            models.Index(fields=["priority_rank", "id"], name="ticket_priority"),
            # The sweep; and ?ordering=next_due_at, which also shows, last, what has no due moment.
            models.Index(fields=["next_due_at", "id"], name="ticket_next_due"),
            # The overdue queue.
            models.Index(
                fields=["overdue_since"],
                name="ticket_overdue",
                condition=Q(overdue_since__isnull=False),
            ),
            # Every queue of the workspace: open ones, due first.
            models.Index(
                Coalesce("overdue_since", "next_due_at"),
                "id",
                name="ticket_due_first",
                condition=Q(status__in=lifecycle.OPEN_STATUSES),
            ),
            # What is set aside now.
            models.Index(
                fields=["snoozed_until"],
                name="ticket_snoozed",
                condition=Q(snoozed_until__isnull=False),
            ),
            # Closing what has been resolved for long.
            models.Index(
                fields=["resolved_at"],
                name="ticket_resolved",
                condition=Q(status=lifecycle.RESOLVED),
            ),
            # Where an answer by mail from an address without account belongs.
            models.Index(
                fields=["requester_email", "-id"],
                name="ticket_guest",
                condition=~Q(requester_email=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.subject}"

    @property
    def is_confined(self) -> bool:
        """Whether only named readers of its category or mailbox may read it."""
        places = (self.category, self.mailbox)
        return any(place is not None and place.is_confined for place in places)

    @property
    def is_done(self) -> bool:
        return self.status in lifecycle.DONE_STATUSES

    @property
    def is_merged(self) -> bool:
        return self.merged_into_id is not None

    @property
    def customer_email(self) -> str:
        """Where an answer goes by mail."""
        return self.requester.email if self.requester else self.requester_email

    @property
    def customer_name(self) -> str:
        """What to call the person who asks."""
        if self.requester:
            return display_name(self.requester)
        return self.requester_name or self.requester_email


class TicketLink(models.Model):
    """Two tickets about the same matter; kept once, lower key first."""

    first = models.ForeignKey(
        Ticket, verbose_name=_("first"), on_delete=models.CASCADE, related_name="+"
    )
    second = models.ForeignKey(
        Ticket, verbose_name=_("second"), on_delete=models.CASCADE, related_name="+"
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("link between tickets")
        verbose_name_plural = _("links between tickets")
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second"],
                name="support_ticketlink_once",
                violation_error_message=_("These tickets are already linked."),
            ),
            models.CheckConstraint(
                condition=Q(first__lt=models.F("second")),
                name="support_ticketlink_ordered",
                violation_error_message=_("A ticket cannot be linked to itself."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} - {self.second_id}"


class TicketSearch(models.Model):
    """The words of a ticket and its replies, folded for search (see search.py)."""

    ticket = models.OneToOneField(
        Ticket,
        verbose_name=_("ticket"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="search",
    )
    document = models.TextField(_("words"), blank=True)

    class Meta:
        verbose_name = _("search document")
        verbose_name_plural = _("search documents")

    def __str__(self) -> str:
        return str(self.ticket_id)


class TicketSearchPart(models.Model):
    """Further words of a ticket that has more of them than one row of the index can hold."""

    ticket = models.ForeignKey(
        Ticket,
        verbose_name=_("ticket"),
        on_delete=models.CASCADE,
        related_name="search_parts",
    )
    document = models.TextField(_("words"), blank=True)

    class Meta:
        verbose_name = _("further part of a search document")
        verbose_name_plural = _("further parts of search documents")

    def __str__(self) -> str:
        return str(self.ticket_id)
