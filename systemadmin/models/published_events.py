"""The log of what happened, as the platform may read it and as webhooks tell it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.querysets.published_events import PublishedEventQuerySet


class PublishedEvent(models.Model):
    """Something that happened, written in the transaction in which it happened."""

    # What people wrote; see foundation/personal_data.py.
    personal_texts = ("data",)

    event_id = models.CharField(_("event id"), max_length=40, unique=True)
    kind = models.CharField(_("event"), max_length=60)
    # Once per thing that happened, however often a task is repeated.
    key = models.CharField(_("key"), max_length=160, unique=True)
    data = models.JSONField(_("data"), default=dict)
    occurred_at = models.DateTimeField(_("occurred at"), default=timezone.now)
    # The place in the log, given after the commit: ids are given before, and whoever reads by id
    # misses the row of a transaction that commits late.
    sequence = models.BigIntegerField(_("number in the log"), null=True, unique=True)
    # Whom it is about, and the other side if there is one. No foreign keys in the database: each
    # would lock the account's row for whoever writes an event.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("user"),
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    other_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("other user"),
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    # Sent on request with the example of its kind; it is not part of the log.
    is_test = models.BooleanField(_("test"), default=False)

    objects = PublishedEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            # what has no number yet, oldest first
            models.Index(
                fields=["id"],
                name="event_to_number",
                condition=Q(sequence__isnull=True, is_test=False),
            ),
            # the log of one kind
            models.Index(fields=["kind", "sequence"], name="event_of_kind"),
            # what is past its retention
            models.Index(fields=["occurred_at"], name="event_age"),
            # what names an account, for its export and erasure
            models.Index(fields=["user"], name="event_user", condition=Q(user__isnull=False)),
            models.Index(
                fields=["other_user"],
                name="event_other_user",
                condition=Q(other_user__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class EventCounter(models.Model):
    """The last number of the log: one row, locked by whoever gives numbers."""

    last = models.BigIntegerField(_("last"), default=0)

    class Meta:
        verbose_name = _("counter of events")
        verbose_name_plural = _("counters of events")

    def __str__(self) -> str:
        return str(self.last)
