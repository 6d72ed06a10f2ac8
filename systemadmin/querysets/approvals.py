"""Reads of the requests that wait for a second person."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ApprovalRequestQuerySet(models.QuerySet):
    """Requests, narrowed by where they stand."""

    def undecided(self) -> "ApprovalRequestQuerySet":
        """Return those that nobody has decided, also where their time is over."""
        return self.filter(state="waiting")

    def waiting(self) -> "ApprovalRequestQuerySet":
        """Return those that nobody has decided and that somebody still may decide."""
        return self.undecided().filter(expires_at__gt=timezone.now())

    def due_to_expire(self, now: datetime) -> "ApprovalRequestQuerySet":
        """Return those that are marked as waiting although their time is over, oldest first."""
        return self.undecided().filter(expires_at__lte=now).order_by("expires_at", "pk")

    def standing(self, state: str) -> "ApprovalRequestQuerySet":
        """Return those in a state by the clock: what nobody decided in time has expired."""
        if state == "waiting":
            return self.waiting()
        if state == "expired":
            overdue = Q(state="waiting", expires_at__lte=timezone.now())
            return self.filter(overdue | Q(state="expired"))
        return self.filter(state=state)

    def of_object(self, kind: str, subject_type: str, subject_id: str) -> "ApprovalRequestQuerySet":
        """Return those of one kind for one object."""
        return self.filter(kind=kind, subject_type=subject_type, subject_id=subject_id)
