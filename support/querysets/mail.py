"""Reads of mail in and out."""

from datetime import datetime

from django.db.models import Q, QuerySet


class InboundQuerySet(QuerySet):
    """Named filters over incoming mail."""

    def waiting(self) -> "InboundQuerySet":
        """Stored, not yet processed."""
        return self.filter(status="received").order_by("id")

    def failed(self) -> "InboundQuerySet":
        """Kept as it came because nothing could be made of it."""
        return self.filter(status="failed")

    def light(self) -> "InboundQuerySet":
        """Without the bytes, which may be megabytes a row."""
        return self.defer("raw")


class OutboundQuerySet(QuerySet):
    """Named filters over outgoing mail."""

    def due(self, now: datetime, stale: datetime) -> "OutboundQuerySet":
        """To be sent now, or taken by a worker that died before it could say so."""
        return self.filter(
            Q(status="pending", next_attempt_at__lte=now)
            | Q(status="sending", claimed_at__lt=stale)
        ).order_by("next_attempt_at", "id")

    def dead(self) -> "OutboundQuerySet":
        """Given up after every attempt."""
        return self.filter(status="dead")
