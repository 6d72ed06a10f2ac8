"""Reads of one-time links."""

from django.db import models
from django.utils import timezone


class AccessLinkQuerySet(models.QuerySet):
    """Links, narrowed by whether they still open something."""

    def usable(self) -> "AccessLinkQuerySet":
        """Return those that were not used and have not expired."""
        return self.filter(used_at__isnull=True, expires_at__gt=timezone.now())
