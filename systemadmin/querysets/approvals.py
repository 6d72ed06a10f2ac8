"""Reads of the requests that wait for a second person."""

from datetime import datetime

from django.db import models


class ApprovalRequestQuerySet(models.QuerySet):
    """Requests, narrowed by where they stand."""

    def waiting(self) -> "ApprovalRequestQuerySet":
        """Return those that nobody has decided."""
        return self.filter(state="waiting")

    def due_to_expire(self, now: datetime) -> "ApprovalRequestQuerySet":
        """Return those that wait although their time is over, oldest first."""
        return self.waiting().filter(expires_at__lte=now).order_by("expires_at", "pk")

    def of_object(self, kind: str, subject_type: str, subject_id: str) -> "ApprovalRequestQuerySet":
        """Return those of one kind for one object."""
        return self.filter(kind=kind, subject_type=subject_type, subject_id=subject_id)
