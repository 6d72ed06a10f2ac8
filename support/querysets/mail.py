"""Reads of mail in and out."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from systemadmin.foundation.personal_data import sees_personal_data


class InboundQuerySet(QuerySet):
    """Named filters over incoming mail."""

    def waiting(self) -> "InboundQuerySet":
        """Stored, not yet processed."""
        return self.filter(status="received").order_by("id")

    def failed(self) -> "InboundQuerySet":
        """Kept as it came because nothing could be made of it."""
        return self.filter(status="failed")

    def suggested_for(self, ticket: Any) -> "InboundQuerySet":
        """Mail of a ticket that mentions another one, to which it may belong."""
        return (
            self.light()
            .filter(ticket=ticket, may_belong_to__isnull=False)
            .exclude(may_belong_to=ticket)
            .select_related("may_belong_to__merged_into")
            .order_by("pk")
        )

    def set_aside(self, since: datetime) -> "InboundQuerySet":
        """No person's mail, so that no ticket was opened; anybody may look and decide anew."""
        return self.filter(status="ignored", created_at__gte=since)

    def readable_by(self, user: Any) -> "InboundQuerySet":
        """Mail that this user may read whole: of tickets they may see, and of no ticket yet."""
        if sees_personal_data(user):
            return self
        tickets: Any = self.model._meta.get_field("ticket").related_model
        seen = Q(ticket__in=tickets.objects.visible_to(user))
        if user.has_perms(["support.view_ticket", "support.view_unassigned_tickets"]):
            seen |= Q(ticket__isnull=True)
        return self.filter(seen)

    def light(self) -> "InboundQuerySet":
        """Without the bytes, which may be megabytes a row."""
        return self.defer("raw")


class OutboundQuerySet(QuerySet):
    """Named filters over outgoing mail."""

    def bounced(self) -> "OutboundQuerySet":
        """Sent, and returned by the recipient's mail system."""
        return self.filter(status="bounced")

    def dead(self) -> "OutboundQuerySet":
        """Given up after every attempt."""
        return self.filter(status="failed")
