"""What the desk promises: calendars, policies and their versions, and promises broken."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from support.models.categories import Category
from support.models.tickets import Priority, Ticket
from support.querysets.policies import SlaPolicyQuerySet
from systemadmin.foundation.models import VersionedModel


class BusinessCalendar(VersionedModel):
    """When the desk works: weekly windows in a time zone, and days off."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    windows = models.JSONField(
        _("windows"),
        default=dict,
        blank=True,
        help_text=_(
            'By weekday, Monday is 0: {"0": [["09:00", "14:00"], ["15:00", "18:00"]]}. '
            "Empty means day and night."
        ),
    )
    holidays = models.JSONField(
        _("holidays"), default=list, blank=True, help_text=_('Dates: ["2026-12-25"].')
    )

    class Meta:
        verbose_name = _("business calendar")
        verbose_name_plural = _("business calendars")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SlaPolicy(VersionedModel):
    """Which tickets get which promise; the first match by position counts."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    priority = models.CharField(
        _("priority"),
        max_length=10,
        choices=Priority.choices,
        blank=True,
        help_text=_("Empty means every priority."),
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="sla_policies",
        help_text=_("Empty means every category."),
    )
    calendar = models.ForeignKey(
        BusinessCalendar,
        verbose_name=_("calendar"),
        on_delete=models.PROTECT,
        related_name="policies",
    )
    first_response_minutes = models.PositiveIntegerField(
        _("first response (minutes)"), null=True, blank=True
    )
    next_response_minutes = models.PositiveIntegerField(
        _("next response (minutes)"), null=True, blank=True
    )
    resolution_minutes = models.PositiveIntegerField(
        _("resolution (minutes)"), null=True, blank=True
    )
    escalate_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("escalate to"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    current = models.ForeignKey(
        "support.SlaPolicyVersion",
        verbose_name=_("current version"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = SlaPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("service policy")
        verbose_name_plural = _("service policies")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class SlaPolicyVersion(models.Model):
    """What a policy promised at a time; never changed, so past results stay explained."""

    policy = models.ForeignKey(
        SlaPolicy, verbose_name=_("policy"), on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField(_("number"))
    terms = models.JSONField(_("terms"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("version of a service policy")
        verbose_name_plural = _("versions of service policies")
        ordering = ["policy", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "number"],
                name="support_slapolicyversion_once",
                violation_error_message=_("This version exists."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.terms.get('name', self.policy_id)} v{self.number}"


class SlaBreach(models.Model):
    """One promise broken; its uniqueness is what makes escalation happen once."""

    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="breaches"
    )
    # Which promise, as `support.sla` names them.
    CLOCK_TEXTS: ClassVar[dict[str, Any]] = {
        "first_response": _("first response"),
        "next_response": _("next response"),
        "resolution": _("resolution"),
    }

    clock = models.CharField(_("clock"), max_length=20)
    cycle = models.PositiveIntegerField(_("cycle"))
    due_at = models.DateTimeField(_("was due"))
    detected_at = models.DateTimeField(_("noticed"))
    version = models.ForeignKey(
        SlaPolicyVersion,
        verbose_name=_("policy"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="breaches",
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assignee then"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("missed service target")
        verbose_name_plural = _("missed service targets")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "clock", "cycle"],
                name="support_slabreach_once",
                violation_error_message=_("This breach is already on record."),
            )
        ]
        # Reports count them by the day they were due.
        indexes = [models.Index(fields=["due_at"], name="breach_due")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.clock} {self.cycle}"

    @property
    def clock_text(self) -> str:
        """Which promise was broken, in words."""
        return str(self.CLOCK_TEXTS.get(self.clock, self.clock))
