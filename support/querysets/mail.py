"""Reads of mail in and out."""

from django.db.models import QuerySet


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

    def dead(self) -> "OutboundQuerySet":
        """Given up after every attempt."""
        return self.filter(status="failed")
