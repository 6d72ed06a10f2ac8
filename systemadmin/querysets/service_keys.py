"""Reads of service keys."""

from django.db.models import Q, QuerySet
from django.utils import timezone


class ServiceKeyQuerySet(QuerySet):
    """Named filters over service keys."""

    def live(self) -> "ServiceKeyQuerySet":
        """Return keys that are neither revoked nor expired."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at__isnull=True)

    def shown_with(self) -> "ServiceKeyQuerySet":
        """Return keys with what a list shows of them, in a fixed number of queries."""
        return self.select_related("account", "owner").prefetch_related(
            "secrets", "account__user_permissions__content_type"
        )
